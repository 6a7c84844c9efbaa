"""Scores: what counts, what does not, and which split is looked at."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.places import whole
from research.tasks.base import Example, SquaredError
from research.training.evaluation import one_by_one, pooled
from research.training.member import initialise, root
from research.training.plan import Plan, plan
from research.training.programs import compile_programs
from research.training.step import gradient_step
from tests.training.problem import (
  MODEL,
  TASK,
  TRAINING,
  Before,
  lay,
  member,
  ready,
)

COUNT = 13
"""No multiple of the batch of 8."""


@pytest.fixture(scope="module")
def results():
  """13 examples pooled and one by one, of parameters sound and NaN."""
  plan = ready()

  @jax.jit
  def both(poison):
    parameters = initialise(plan, member()).parameters
    parameters = jax.tree.map(lambda leaf: leaf + poison, parameters)
    key = root(jnp.uint32(0), "validation")
    examples = one_by_one(plan, TASK, parameters, key, COUNT)
    return pooled(plan, parameters, key, COUNT), examples

  return {
    poison: jax.tree.map(np.array, both(poison)) for poison in (0.0, np.nan)
  }


def test_the_pooled_score_is_that_of_the_examples(results):
  (loss, score), examples = results[0.0]
  weight = examples["weight"]
  assert weight.shape == (COUNT, 2)
  assert 0 < weight.sum() < weight.size, "some are asked once, some twice"
  for found, each in ((loss, examples["loss"]), (score, examples["score"])):
    expected = (each * weight).sum() / weight.sum()
    np.testing.assert_allclose(found, expected, rtol=1e-6)
  assert (examples["asked"] == weight.sum(axis=1, keepdims=True)).all()


def test_outputs_that_are_nan_score_nan(results):
  (loss, score), examples = results[np.nan]
  assert np.isnan(loss) and np.isnan(score)
  scored = examples["weight"] > 0
  assert np.isnan(examples["score"][scored]).all()
  assert not examples["score"][~scored].any()


def test_targets_are_smoothed_in_training_alone():
  """A smoothed loss is the plain one, and a share of the mean over classes."""
  sharp, smooth = ready(), ready(label_smoothing=0.25)

  @jax.jit
  def everything():
    parameters = initialise(sharp, member()).parameters
    key = root(jnp.uint32(0), "validation")
    batch = TASK.batch(jax.random.split(key, 4))
    return {
      "outputs": sharp.apply(parameters, batch),
      "batch": batch,
      "losses": [made.loss(parameters, batch) for made in (sharp, smooth)],
      "pooled": [pooled(made, parameters, key, 4) for made in (sharp, smooth)],
    }

  found = jax.tree.map(np.array, everything())
  outputs, weights = found["outputs"], found["batch"].weights
  likely = outputs - np.logaddexp.reduce(outputs, axis=-1, keepdims=True)
  even = -(likely.mean(axis=-1) * weights).sum()
  (plain, total), (loss, same) = found["losses"]
  assert total == same == weights.sum()
  np.testing.assert_allclose(loss, 0.75 * plain + 0.25 * even, rtol=1e-5)
  assert abs(loss - plain) > 1e-3
  first, second = found["pooled"]
  assert first == second


@dataclasses.dataclass(frozen=True)
class Half(Before):
  """Says which of its splits are asked for examples."""

  part: str = "all"
  heard: ClassVar[list[str]] = []

  def split(self, name):
    return dataclasses.replace(self, part=name)

  def batch(self, keys):
    self.heard.append(self.part)
    return super().batch(keys)


def test_each_split_is_used_for_what_it_is_for():
  task = Half(asked=(1,))
  training = dataclasses.replace(
    TRAINING, seeds=1, learning_rates=(1e-2,), examples=5
  )
  made = plan(task, MODEL, training)
  state = jax.eval_shape(lambda: initialise(made, member()))
  Half.heard.clear()
  jax.eval_shape(
    lambda p: pooled(made, p, jax.random.key(0), 4), state.parameters
  )
  assert set(Half.heard) == {"validation"}
  Half.heard.clear()
  jax.eval_shape(lambda s: gradient_step(made, member(), s), state)
  assert set(Half.heard) == {"train"}
  Half.heard.clear()
  compiled = compile_programs(made, {"test": task}, lay(1))
  # Shapes alone may be asked of the whole; data come from the splits.
  assert {"train", "validation", "test"} <= set(Half.heard)
  # A finite training set is scored too, whole.
  seen = compiled.tests["train"](compiled.start().parameters)
  assert seen["weight"].shape == (1, 5, 1)


class Constant:
  """A model whose outputs are its parameters."""

  dropout = 0.0

  def apply(self, variables, inputs, places, **_):
    return jnp.broadcast_to(variables["params"]["y"], (*inputs.shape, 1))


@dataclasses.dataclass(frozen=True)
class Regression(Before):
  @property
  def objective(self):
    return SquaredError()


def test_what_is_not_scored_may_be_nan_in_values_and_gradients():
  inputs = jnp.zeros((2, 3), jnp.int32)
  weights = jnp.array([[1.0, 0.0, 2.0], [0.5, 1.0, 0.0]])
  targets = jnp.where(weights > 0, 3.0, jnp.nan)[..., None]
  batch = Example(inputs, whole(inputs), targets, weights, None, {})
  made = object.__new__(Plan)
  for name, value in {
    "task": Regression(), "model": Constant(), "training": TRAINING
  }.items():  # fmt: skip
    object.__setattr__(made, name, value)
  gradient = jax.value_and_grad(made.loss, has_aux=True)
  parameters = {"y": jnp.float32(1.0)}
  (loss, weight), slope = gradient(parameters, batch)
  assert (loss, weight, slope["y"]) == (18.0, 4.5, -18.0)
  losses, scores = made.judge(parameters, batch)
  assert (losses == jnp.where(weights > 0, 4.0, 0.0)).all()
  assert (scores == -losses).all()
