"""Slopes of right answers: by hand, by the embedding's rows, and in a run."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.attention.layer import Attention
from research.experiment import Change, Claim, Measure
from research.models.sequence import SequenceModel
from research.places import whole
from research.preparation import prepare
from research.report.write import write_report
from research.run import run
from research.tasks.base import Example
from research.tasks.first import FirstSymbol
from research.training.plan import Plan
from research.training.slopes import SMALLEST, slopes
from tests.tiny import EXPERIMENT
from tests.training.problem import TASK, TRAINING

REACH = (1.0, 0.5, 1e-30, 0.0)
"""How strongly an output depends on the inputs 0, 1, … tokens before it."""


class Fading:
  """Output c of token t is Σ_s REACH[t − s] · (c + 1) · Σ_d e_s,d."""

  width = 4
  precision = "float32"

  def apply(self, variables, inputs, places, *, at):
    e = variables["perturbations"]["embedded"]
    index = np.arange(inputs.shape[1])
    behind = index[:, None] - index[None, :]
    map_ = np.where(behind >= 0, np.asarray(REACH)[np.maximum(behind, 0)], 0)
    y = jnp.einsum("ts,bsd->bt", jnp.asarray(map_, jnp.float32), e)
    y = y if at is None else jnp.take_along_axis(y, at, axis=1)
    return y[..., None] * jnp.arange(1.0, 4.0)[None, None, :]


def fading(at, origins):
  """Slopes of the made model where class 1 is right everywhere."""
  # Made without its constructor, where the hook of the tests wants a module.
  plan = object.__new__(Plan)
  object.__setattr__(plan, "model", Fading())
  inputs = jnp.zeros((len(origins), 4), jnp.int32)
  targets = jnp.ones(origins.shape, jnp.int32)
  places = whole(inputs)
  batch = Example(inputs, places, targets, targets, at, {}, origins)
  return np.asarray(jax.jit(lambda: slopes(plan, {}, batch))())


def test_slopes_by_hand():
  """Norms are 2 · √4 at the token itself, and shares of it before."""
  at = jnp.array([[3, 1], [2, 3]])
  origins = jnp.array([[3, 0], [0, 0]])
  found = fading(at, origins)
  nothing = math.log10(SMALLEST / 4)
  wanted = [[0.0, math.log10(0.5)], [-30.0, nothing]]
  np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6)


def test_every_token_may_ask():
  origins = jnp.array([[0, 0, 2, 2]])
  found = fading(None, origins)
  wanted = [[0.0, math.log10(0.5), 0.0, math.log10(0.5)]]
  np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6)


FIRST = FirstSymbol(symbols=3, distractors=40, distances=(2, 5))
SMALL = SequenceModel(Attention(), layers=2, width=8)


def test_slopes_are_those_of_the_embeddings_rows_where_tokens_differ():
  """A token that comes once has its vector's slope as its row's."""
  plan = prepare(_experiment())["first"]

  @jax.jit
  def both(keys):
    batch = FIRST.batch(keys)
    weights = plan.model.init(jax.random.key(1), batch.inputs, batch.places)
    weights = weights["params"]

    def right(table, row):
      one = jax.tree.map(lambda leaf: leaf[row][None], batch)
      there = {**weights, "embed": {"embedding": table}}
      return plan.apply(there, one)[0, 0, one.targets[0, 0]]

    rows = [
      jax.grad(right)(weights["embed"]["embedding"], row)
      for row in range(len(keys))
    ]
    return batch, slopes(plan, weights, batch), jnp.stack(rows)

  batch, found, rows = both(jax.random.split(jax.random.key(3), 3))
  norms = np.linalg.norm(np.asarray(rows, np.float64), axis=-1)
  for row in range(3):
    origin, at = batch.inputs[row, 0], batch.inputs[row, batch.at[row, 0]]
    wanted = np.log10(norms[row, origin] / norms[row, at])
    assert found[row, 0] == pytest.approx(wanted, abs=1e-4)


def _experiment(**fields):
  near, far = "distance=2", "distance=5"
  claim = Claim(
    "fades",
    "the near one counts more",
    Measure("first", near, metric="initial_slope"),
    Measure("first", far, metric="slope"),
    0.0,
  )
  everything = {
    "task": FIRST,
    "model": SMALL,
    "training": dataclasses.replace(TRAINING, steps=4, evaluate_every=4),
    "variants": (Change("first"),),
    "tests": (),
    "claims": (claim,),
    "difficulty": "distance",
    "slopes": True,
    **fields,
  }
  return dataclasses.replace(EXPERIMENT, **everything)


def test_a_run_has_rows_verdicts_tables_and_figures_of_slopes(tmp_path):
  comparison = run(_experiment(), out=tmp_path / "run")
  summary = comparison.summary
  for metric in ("slope", "initial_slope"):
    for part in ("all", "distance=2", "distance=5"):
      row = summary.find("first", slice=part, metric=metric)
      assert len(row.values) == TRAINING.seeds
      assert all(-38.5 < value < 5 for value in row.values), row
  before, after = (
    summary.find("first", metric=name).values
    for name in ("initial_slope", "slope")
  )
  assert before != after
  (verdict,) = summary.verdicts
  assert verdict.unit == "seed" and math.isfinite(verdict.estimate)
  text = write_report(comparison.folder).with_suffix(".md").read_text()
  assert "Initial slope by distance" in text and "Slope by distance" in text
  drawn = {file.name for file in (comparison.folder / "figures").iterdir()}
  assert {"slope.svg", "initial_slope.svg", "difficulty.svg"} <= drawn


def test_a_task_that_does_not_say_what_holds_its_answer_is_refused():
  with pytest.raises(ValueError, match="slopes = True with Before; allowed: "):
    prepare(_experiment(task=TASK, claims=(), difficulty="asked"))


def test_slopes_have_no_claim_where_they_are_not_measured():
  with pytest.raises(ValueError, match="metric = 'initial_slope'"):
    prepare(_experiment(slopes=False))
