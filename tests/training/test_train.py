"""The host's side: what it reports, saves and resumes, and what it keeps."""

import dataclasses
import functools

import jax
import pytest

from research.training.checkpoint import Checkpoints
from research.training.programs import compile_programs
from research.training.train import Stopped, train
from tests.training.problem import TASK, TRAINING, lay, ready, same

CHANGES = {"evaluate_every": 8}
"""Chunks of 8, 8 and 4 steps."""


@pytest.fixture(scope="module", autouse=True)
def compiled_once():
  """All of these tests train with the same programs."""
  with pytest.MonkeyPatch.context() as patch:
    compiled = functools.cache(
      lambda training: compile_programs(
        ready(**dataclasses.asdict(training)), {"test": TASK}, lay(1)
      )
    )
    patch.setattr(
      "research.training.train.compile_programs",
      lambda plan, tests, layout, measures: compiled(plan.training),
    )
    yield


class Host:
  """Listens to `train`, and stops it after so many chunks."""

  def __init__(self, chunks=None):
    self.reports, self.resumed, self.notes = [], [], []
    self.chunks = chunks

  def __call__(self, checkpoints=None, **more):
    return train(
      ready(**CHANGES),
      {"test": TASK},
      checkpoints=checkpoints,
      on_chunk=self.chunk,
      on_resume=self.resumed.append,
      note=self.notes.append,
      stop=lambda: len(self.reports) == self.chunks,
      layout=lay(1),
      **more,
    )

  def chunk(self, report):
    self.reports.append(report)
    return {"chunks": report.step}


@pytest.fixture(scope="module")
def undisturbed():
  host = Host()
  return host, host()


def outcome(trained):
  """All but the times."""
  return [
    getattr(trained, field.name)
    for field in dataclasses.fields(trained)
    if "seconds" not in field.name
  ]


def test_curves_name_members_and_steps(undisturbed):
  reports = undisturbed[0].reports
  assert [report.step for report in reports] == [8, 16, 20]
  assert [report.examples for report in reports] == [256, 512, 640]
  assert all(len(report.lines) == 4 for report in reports)
  members = [(x["seed"], x["learning_rate"]) for x in reports[0].lines]
  assert members == [(0, 0.01), (0, 0.03), (1, 0.01), (1, 0.03)]
  line = reports[2].lines[3]
  assert {**line, "loss": 0, "validation_loss": 0, "validation": 0} == {
    "seed": 1,
    "learning_rate": 0.03,
    "step": 20,
    "loss": 0,
    "validation_loss": 0,
    "validation": 0,
    "status": "finished",
  }
  assert reports[0].lines[0]["status"] == "running"
  assert line["validation"] == reports[2].validation[3]
  assert 0 < reports[0].seconds < reports[1].seconds < reports[2].seconds


def test_what_is_left_of_a_finished_sweep(undisturbed):
  trained = undisturbed[1]
  assert trained.status == ["finished"] * 4
  assert trained.steps.tolist() == [20] * 4
  assert trained.tests["test"]["score"].shape == (4, 12, 2)
  assert {x.shape[0] for x in jax.tree.leaves(trained.parameters)} == {4}
  assert trained.examples == 4 * 20 * TRAINING.batch


@pytest.mark.parametrize("chunks", [1, 3])
def test_stopped_and_resumed_is_undisturbed_bit_for_bit(
  tmp_path, undisturbed, chunks
):
  checkpoints = Checkpoints(tmp_path)
  first, second = Host(chunks), Host()
  with pytest.raises(Stopped):
    first(checkpoints, save_seconds=1e9)
  trained = second(checkpoints)
  assert first.resumed == [{}]
  assert second.resumed == [{"chunks": [8, 16, 20][chunks - 1]}]
  assert not second.notes
  lines = [
    line
    for host in (first, second)
    for one in host.reports
    for line in one.lines
  ]
  assert lines == [line for one in undisturbed[0].reports for line in one.lines]
  for ours, theirs in zip(
    outcome(trained), outcome(undisturbed[1]), strict=True
  ):
    assert (
      ours == theirs if isinstance(ours, list | int) else same(ours, theirs)
    )


@pytest.fixture(scope="module")
def watched():
  """The live arrays, and what was reported with a copy, of 20 chunks."""
  counts, seen = [], []

  def keep(report):
    counts.append(len(jax.live_arrays()))
    seen.append((report.validation, report.validation.copy()))
    return {}

  train(ready(), {}, on_chunk=keep, layout=lay(1))
  return counts, seen


def test_memory_does_not_grow_with_the_number_of_steps(watched):
  counts = watched[0]
  assert len(counts) == 20
  assert counts[1] == counts[9] == counts[19]


def test_what_the_host_holds_does_not_change_under_it(watched):
  # On CPU a NumPy array may share the buffer that the next chunk writes to.
  assert all(same(kept, copy) for kept, copy in watched[1])
  assert len({tuple(kept) for kept, _ in watched[1]}) > 1


def test_stopped_while_compiling_nothing_is_trained(tmp_path):
  host = Host(chunks=0)
  with pytest.raises(Stopped):
    host(Checkpoints(tmp_path))
  assert not host.reports and not host.resumed
  assert not list(tmp_path.iterdir())
