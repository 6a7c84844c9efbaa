"""Unit triangular systems against float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.evaluations.fast_weights.triangular import solve
from tests.tolerance import assert_close


def corrections(length: int) -> np.ndarray:
  """β K Kᵀ below the diagonal: of one key at four β, and of random keys."""
  keys = np.random.default_rng(0).normal(size=(5, length, 8))
  keys[:4] = keys[:4, :1]
  keys /= np.linalg.norm(keys, axis=-1, keepdims=True)
  beta = np.array([0.5, 1.0, 1.8, 2.0, 1.9])[:, None, None]
  below = np.tril(beta * (keys @ keys.swapaxes(1, 2)), -1)
  return below.astype(np.float32)


@pytest.mark.parametrize("length", [1, 5, 64])
def test_systems_agree_with_float64(length):
  """Also where every right side is nearly the same, and cancels."""
  below = corrections(length)
  generator = np.random.default_rng(1)
  right, slope = generator.normal(size=(2, 5, length, 3)).astype(np.float32)
  right = 1 + right / 10

  @jax.jit
  def all_of_it(below: jax.Array, right: jax.Array) -> tuple:
    solved, back = jax.vjp(solve, below, right)
    return solved, back(jnp.asarray(slope))

  # What stands on the diagonal and above does not count.
  noise = np.triu(np.full_like(below, 7))
  found, slopes = all_of_it(jnp.asarray(below + noise), jnp.asarray(right))
  exact = np.linalg.inv(np.eye(length) + below.astype(np.float64))
  solved = exact @ right
  slope_right = exact.swapaxes(1, 2) @ slope
  slope_below = -np.tril(slope_right @ solved.swapaxes(1, 2), -1)
  assert_close([*found], [*solved], level="core")
  wanted = slope_below, slope_right
  assert_close(slopes, wanted, level="core", gradient=True)
