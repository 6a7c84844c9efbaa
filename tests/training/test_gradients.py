"""Gradients of blocks: of scanned ones, of plain ones, of any size."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.models.feed_forward import FeedForward
from research.training.gradients import gradients
from research.training.plan import Plan, plan
from research.training.slopes import SMALLEST
from tests.training import problem
from tests.training.reversal import looked_at


def log_norm(tree):
  """Of all numbers together, in float64."""
  leaves = [np.asarray(x, np.float64).ravel() for x in jax.tree.leaves(tree)]
  return np.log10(np.linalg.norm(np.concatenate(leaves)))


def test_scanned_blocks_have_the_gradients_of_unrolled_ones():
  """Of the smoothed mean loss over one batch, block by block."""
  found = looked_at()
  slopes, measured = found["slopes"], found["gradient"]
  wanted = [log_norm(slopes[f"block_{i}"]) for i in range(3)]
  assert len({*np.round(wanted, 3)}) == 3
  np.testing.assert_allclose(measured["score"], [wanted], atol=1e-4)
  np.testing.assert_array_equal(measured["block"], [[1, 2, 3]])
  np.testing.assert_array_equal(measured["weight"], [[1, 1, 1]])


def test_a_model_without_a_decoder_tells_its_own_blocks():
  model = problem.MODEL.copy(
    parent=None, layers=5, feed_forward=FeedForward(expansion=2)
  )
  made = plan(problem.TASK, model, problem.TRAINING)

  @jax.jit
  def both():
    key = jax.random.key(0)
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(3))
    batch = problem.TASK.batch(keys)
    weights = made.model.init(jax.random.key(1), **batch.given())["params"]

    def loss(weights):
      total, count = made.loss(weights, batch)
      return total / count

    return gradients(made, weights, key, 3), jax.grad(loss)(weights)

  found, slopes = both()
  wanted = [log_norm(slopes[f"block_{i - 1}"]) for i in (1, 2, 4, 5)]
  np.testing.assert_allclose(found["score"], [wanted], atol=1e-4)
  np.testing.assert_array_equal(found["block"], [[1, 2, 4, 5]])


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_gradients_whose_squares_float32_cannot_hold_are_told(size):
  """Block i has the gradient (3, 4) · size · 2^−i; the last one none."""
  made = object.__new__(Plan)
  factors = {f"block_{i}": size * 2.0**-i for i in range(3)}
  factors["block_3"] = 0.0

  def loss(parameters, batch):
    terms = [
      factor * (3 * parameters[name][0] + 4 * parameters[name][1])
      for name, factor in factors.items()
    ]
    return sum(terms), jnp.float32(1.0)

  for name, value in {
    "task": problem.TASK, "training": problem.TRAINING, "loss": loss
  }.items():  # fmt: skip
    object.__setattr__(made, name, value)
  parameters = {name: jnp.zeros(2) for name in factors}
  found = gradients(made, parameters, jax.random.key(0), 2)
  wanted = [5 * size, 2.5 * size, SMALLEST]
  np.testing.assert_array_equal(found["block"], [[1, 2, 4]])
  np.testing.assert_allclose(found["score"], [np.log10(wanted)], atol=1e-4)
