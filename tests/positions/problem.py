"""A function and its gradients against a formula in float64."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from research.places import Pairs
from tests.tolerance import assert_close

KEYS = np.array([[0, 1, 4, 9, 11], [2, 3, 5, 6, 20]], np.int32)
QUERIES = np.array([[1, 9, 11], [2, 6, 20]], np.int32)
APART = QUERIES[:, :, None] - KEYS[:, None, :]
STEP = 1e-5


def pairs(positions_q: Any, positions_k: Any) -> Pairs:
  """Queries and keys at these positions; all may look at all."""
  q, k = jnp.asarray(positions_q), jnp.asarray(positions_k)
  everybody = jnp.ones((q.shape[0], 1, q.shape[1], k.shape[1]), bool)
  return Pairs(q, k, everybody)


PAIRS = pairs(QUERIES, KEYS)


def draw(seed: int, *shapes: tuple[int, ...]) -> list[np.ndarray]:
  """Float32 arrays of normal numbers."""
  generator = np.random.default_rng(seed)
  return [generator.normal(size=s).astype(np.float32) for s in shapes]


def assert_follows(
  ours: Callable[..., Any], formula: Callable[..., Any], *inputs: Any
) -> None:
  """Fails unless `ours` is the formula, in value and in all gradients.

  Args:
    ours: of float32 inputs, arrays or trees of them; gives one array.
    formula: the same in NumPy, for float64.
    inputs: float32.
  """
  precise = jax.tree.map(lambda x: np.asarray(x, np.float64), inputs)
  wanted = formula(*precise)
  seed = np.cos(np.arange(wanted.size)).reshape(wanted.shape)

  @jax.jit
  def both(*inputs: Any) -> Any:
    y, back = jax.vjp(ours, *inputs)
    return y, back(jnp.asarray(seed, jnp.float32))

  y, gradients = both(*jax.tree.map(jnp.asarray, inputs))
  assert y.dtype == jnp.float32
  assert_close(y, wanted, level="module")

  def slope(leaf: np.ndarray) -> np.ndarray:
    """Difference quotients, made by changing one number at a time."""
    slopes = np.zeros_like(leaf)
    for index in np.ndindex(leaf.shape):
      value, ends = leaf[index], []
      for moved in (value - STEP, value + STEP):
        leaf[index] = moved
        ends.append(np.vdot(seed, formula(*precise)))
      leaf[index] = value
      slopes[index] = (ends[1] - ends[0]) / (2 * STEP)
    return slopes

  references = jax.tree.map(slope, precise)
  assert_close(gradients, references, level="module", gradient=True)
