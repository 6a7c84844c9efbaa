"""What formulas of fast weights have in common, in NumPy, token by token.

Every step is analytic, so that `tests/complex_step.py` has exact gradients.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from research.mixer import Mixer
from research.places import Places
from tests.complex_step import slopes
from tests.tolerance import assert_close

B, T, D = 2, 7, 4
X = np.random.default_rng(3).normal(size=(B, T, D)).astype(np.float32)
POSITIONS = np.array([[0, 1, 4, 5, 9, 10, 12], [3, 4, 5, 7, 8, 20, 21]])


def sigmoid(x: Any) -> Any:
  return 1 / (1 + np.exp(-x))


def silu(x: Any) -> Any:
  return x * sigmoid(x)


def softplus(x: Any) -> Any:
  return np.log1p(np.exp(x))


def unit(x: Any) -> Any:
  """Vectors of length 1, as nearly as 1e-6 lets them."""
  return x / np.sqrt(np.sum(x * x, axis=-1, keepdims=True) + 1e-6)


def normed(y: Any, scale: Any) -> Any:
  square = np.mean(y * y, axis=-1, keepdims=True)
  return scale * y / np.sqrt(square + 1e-5)


def split(x: Any, heads: int) -> Any:
  return x.reshape(x.shape[:-1] + (heads, -1))


def joined(y: Any) -> Any:
  return y.reshape(y.shape[:2] + (-1,))


def convolved(x: Any, filters: Any) -> Any:
  """y_t = Σ_i w_i ⊙ x_{t−i}."""
  y = np.zeros_like(x)
  for t in range(x.shape[1]):
    for tap in range(min(t + 1, len(filters))):
      y[:, t] += filters[tap] * x[:, t - tap]
  return y


def projected(
  given: Any, x: Any, heads: int, names: tuple[str, ...]
) -> list[Any]:
  """silu(conv(W x)) of these names, or W x if there is no filter."""
  parts, start = [], 0
  for name in names:
    y = x @ given[name]["kernel"]
    if "filter" in given:
      end = start + y.shape[-1]
      y = convolved(y, given["filter"][:, start:end])
      y = silu(y + given.get("filter_bias", np.zeros(end))[start:end])
      start = end
    parts.append(split(y, heads))
  return parts


def assert_agrees(mixer: Mixer, formula: Callable[[Any, Any], Any]) -> None:
  """Fails unless values and gradients of a mixer are those of its formula.

  Args:
    mixer: at the width D.
    formula: of the mixer's parameters and the inputs [b t d], in float64.
  """
  x = jnp.asarray(X)
  places = Places(jnp.asarray(POSITIONS), jnp.ones((B, T), jnp.int32))
  start = mixer.init(jax.random.key(0), x, places)["params"]
  start = jax.tree.map(
    lambda leaf: (
      leaf + 0.1 * jnp.cos(jnp.arange(leaf.size)).reshape(leaf.shape)
    ),
    start,
  )
  seed = np.cos(np.arange(X.size)).reshape(X.shape)

  @jax.jit
  def both(parameters: Any, x: Any) -> Any:
    def apply(parameters: Any, x: Any) -> Any:
      return mixer.apply({"params": parameters}, x, places)

    y, back = jax.vjp(apply, parameters, x)
    return y, back(jnp.asarray(seed, y.dtype))

  y, found = both(start, x)
  exact = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), (start, x))
  assert_close(y, formula(*exact), level="module")
  wanted = slopes(formula, exact, seed)
  assert_close(found, wanted, level="module", gradient=True)
