"""A run that writes and looks: its rows, verdicts, tables and figures."""

import dataclasses
import math
import re

import numpy as np
import pytest

from research.experiment import Change, Claim, Experiment, Measure
from research.outcome import outcome
from research.preparation import prepare
from research.report.write import write_report
from research.run import run
from tests.tiny import EXPERIMENT
from tests.training import reversal


def claim(name: str, left: Measure, right: Measure | str = "zero") -> Claim:
  return Claim(name, name, left, right, 0.0)


def side(metric: str, part: str = "all", task: str = "test") -> Measure:
  return Measure("reversal", part, task, metric)


MEASURES = {"gradient": "block", "alignment": "layer", "monotonicity": "layer"}
CLAIMS = (
  claim("errs", side("error_rate", "size=4"), side("error_rate", "size=2")),
  claim("right", side("sequence_accuracy"), "one"),
  claim("learns", side("gradient", "block=3"), side("initial_gradient")),
  claim("looks", side("alignment", "layer=2"), side("initial_alignment")),
  claim("back", side("monotonicity", "layer=3"), "one"),
)


def experiment(**fields: object) -> Experiment:
  everything = {
    "task": reversal.TASK,
    "model": reversal.MODEL,
    "training": dataclasses.replace(
      reversal.TRAINING,
      steps=4,
      evaluate_every=4,
      learning_rates=(1e-2,),
      schedule="inverse_sqrt",
    ),
    "variants": (Change("reversal"),),
    "tests": (),
    "claims": CLAIMS,
    "difficulty": "",
    "gradients": True,
    "alignment": True,
    **fields,
  }
  return dataclasses.replace(EXPERIMENT, **everything)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
  """Its numbers, its report's text, its figures' names, what was trained."""
  kept = []

  def keep(variant, trained, *rest):
    kept.append(trained)
    return outcome(variant, trained, *rest)

  with pytest.MonkeyPatch.context() as patch:
    patch.setattr("research.run.outcome", keep)
    found = run(experiment(), out=tmp_path_factory.mktemp("runs") / "run")
  text = write_report(found.folder).with_suffix(".md").read_text()
  drawn = {file.name for file in (found.folder / "figures").iterdir()}
  return found.summary, text, drawn, kept[0]


def test_what_was_written_has_rows_for_each_size(done):
  summary, *_ = done
  for part in ("all", "size=2", "size=3", "size=4"):
    errors, right = (
      summary.find("reversal", slice=part, metric=name).values
      for name in ("error_rate", "sequence_accuracy")
    )
    for error, share in zip(errors, right, strict=True):
      if not math.isnan(error):  # a seed without an example of this size
        assert error >= 0 and 0 <= share <= 1
        assert (error == 0) == (share == 1)
  whole = summary.find("reversal", metric="error_rate").values
  assert all(math.isfinite(error) for error in whole)


def test_what_is_written_is_what_was_tested(done):
  """The same examples; the last of the scored tokens is END."""
  trained = done[-1]
  tested, written = trained.tests["test"], trained.written["test"]
  np.testing.assert_array_equal(written["size"], tested["size"][..., :1])
  sizes = tested["weight"].sum(axis=-1, keepdims=True) - 1
  np.testing.assert_array_equal(written["sizes"], sizes)
  assert len({*sizes.ravel().tolist()}) > 1


def test_measures_have_rows_before_and_after_training(done):
  summary, *_ = done
  for metric, axis in MEASURES.items():
    for name in (metric, f"initial_{metric}"):
      parts = {row.slice for row in summary.rows if row.metric == name}
      assert parts == {"all", *(f"{axis}={i}" for i in (1, 2, 3))}
      values = summary.find("reversal", metric=name).values
      assert len(values) == 2 and all(map(math.isfinite, values))
      if axis == "layer":
        assert all(0 <= value <= 1 for value in values)
  before, after = (
    summary.find("reversal", metric=name).values
    for name in ("initial_gradient", "gradient")
  )
  assert before != after


def test_claims_about_them_have_verdicts(done):
  estimates = {row.claim: row.estimate for row in done[0].verdicts}
  assert set(estimates) == {one.name for one in CLAIMS}
  for one in CLAIMS[1:]:
    assert math.isfinite(estimates[one.name]), one.name


def test_the_report_tells_and_draws_them(done):
  _, text, drawn, _ = done
  assert "| error rate | sequence accuracy | solved |" in text
  for title in (
    "Error rate by size",
    "Sequence accuracy by size",
    "Error rate of what was written",
    "Gradient by block",
    "Initial alignment by layer",
    "Monotonicity by layer. The share of tokens",
    "Gradient, after training, and initial gradient, before it: log",
    "Alignment, after training, and initial alignment, before it: the share",
    "Monotonicity, after training, and initial monotonicity, before it: the",
  ):
    assert title in text, title
  assert "Accuracy (targets shown) by size" in text
  (words,) = re.findall(
    r"!\[Figure: Error rate of what was written\.(.*)\]", text
  )
  row = done[0].find("reversal", metric="error_rate")
  assert words.startswith(f" Means over all slices: reversal {row.mean:.3f}")
  for name in ("Gradient", "Alignment", "Monotonicity"):
    before = text.index(f"![Figure: {name} by")
    assert before < text.index(f"![Figure: Initial {name.lower()} by")
  names = {"error_rate", *MEASURES, *(f"initial_{name}" for name in MEASURES)}
  assert {f"{name}.svg" for name in names} <= drawn


WRONG = {
  "another axis": (
    side("alignment", "size=2"),
    {},
    "slice = 'size=2'; .*layer=",
  ),
  "not measured": (side("gradient"), {"gradients": False}, "metric = 'gradien"),
  "training examples": (
    side("error_rate", task="train"),
    {"training": dataclasses.replace(reversal.TRAINING, examples=4)},
    "metric = 'error_rate' of slice 'all'",
  ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_claim_about_no_row_is_refused(name):
  measure, fields, message = WRONG[name]
  with pytest.raises(ValueError, match=message):
    prepare(experiment(claims=(claim("wrong", measure),), **fields))


def test_nothing_is_written_where_there_is_no_source():
  measure = Measure("first", metric="error_rate")
  wrong = dataclasses.replace(EXPERIMENT, claims=(claim("wrong", measure),))
  with pytest.raises(ValueError, match="metric = 'error_rate' of slice 'all'"):
    prepare(wrong)


def test_alignment_is_asked_of_tasks_that_know_it():
  with pytest.raises(ValueError, match="alignment = True with Before; allow"):
    prepare(dataclasses.replace(EXPERIMENT, alignment=True))
