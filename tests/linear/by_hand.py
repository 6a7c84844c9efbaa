"""What formulas of fast weights have in common, in NumPy, token by token."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from research.mixer import Mixer
from research.places import Places
from tests.formula import assert_is, convolved

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


def delta_rule(q: Any, k: Any, v: Any, beta: Any, fade: Any) -> Any:
  """S_t = φ_t S + β_t k_t (v_t − φ_t Sᵀ k_t)ᵀ, and what q_t reads of it.

  Args:
    q: queries [b t h k].
    k: keys [b t h k].
    v: values [b t h v].
    beta: how much is overwritten [b t h].
    fade: φ, what is left of the matrix [b t h].
  """
  matrix = np.zeros(k.shape[:1] + k.shape[2:] + v.shape[-1:])
  y = np.zeros_like(v)
  for t in range(k.shape[1]):
    matrix = fade[:, t, :, None, None] * matrix
    old = np.einsum("bhk,bhkv->bhv", k[:, t], matrix)
    new = beta[:, t, :, None] * (v[:, t] - old)
    matrix = matrix + np.einsum("bhk,bhv->bhkv", k[:, t], new)
    y[:, t] = np.einsum("bhkv,bhk->bhv", matrix, q[:, t])
  return y


def assert_agrees(mixer: Mixer, formula: Callable[[Any, Any], Any]) -> None:
  """Fails unless a mixer of the width D is its formula."""
  places = Places(jnp.asarray(POSITIONS), jnp.ones((B, T), jnp.int32))
  assert_is(mixer, formula, X, places, moved=0.1)
