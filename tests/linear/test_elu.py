"""Linear attention by its recurrence, in chunks, and both ways."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.linear.elu import LinearAttention
from research.places import whole
from tests.tolerance import assert_close

B, T, H, D = 2, 11, 2, 6
X = jnp.asarray(np.random.default_rng(3).normal(size=(B, T, D)), jnp.float32)
MIXER = LinearAttention(heads=H, chunk=4)
VARIABLES = MIXER.init(jax.random.key(0), X, whole(X))


def by_recurrence(both: bool) -> np.ndarray:
  """The formula in float64, token by token; `both` sums the whole first."""
  given = jax.tree.map(
    lambda leaf: np.asarray(leaf, np.float64), VARIABLES["params"]
  )
  q, k, v = (
    (np.asarray(X, np.float64) @ given[name]["kernel"]).reshape(B, T, H, -1)
    for name in ("query", "key", "value")
  )
  q, k = (np.where(a > 0, a, np.expm1(a)) + 1 for a in (q, k))
  matrices = np.einsum("bthk,bthv->bthkv", k, v).cumsum(axis=1)
  totals = k.cumsum(axis=1)
  if both:
    matrices, totals = matrices[:, -1:], totals[:, -1:]
  y = np.einsum("bthk,bthkv->bthv", q, matrices + np.zeros((B, T, 1, 1, 1)))
  total = np.sum(q * totals, axis=-1, keepdims=True) + 1e-6
  return (y / total).reshape(B, T, D) @ given["out"]["kernel"]


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("chunk", [1, 4, 64])
def test_it_is_its_recurrence_for_any_chunk(chunk, bidirectional):
  mixer = LinearAttention(heads=H, chunk=chunk, bidirectional=bidirectional)
  assert mixer.causal is not bidirectional
  y = mixer.apply(VARIABLES, X, whole(X))
  assert_close(y, by_recurrence(bidirectional), level="module")


def test_its_state_is_float32_in_bfloat16():
  x = X.astype(jnp.bfloat16)
  y, new = MIXER.apply(VARIABLES, x, whole(x), mutable=["cache"])
  cache = new["cache"]
  assert y.dtype == jnp.bfloat16
  assert cache["matrix"].dtype == jnp.float32
  # The last column is the normaliser.
  assert cache["matrix"].shape == (B, H, D // H, D // H + 1)
  assert MIXER.state_size(D, T) == MIXER.state_size(D, 1) == D * D // H + D


@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ({"heads": 0}, "heads = 0; allowed: 1 or more"),
    ({"chunk": 0}, "chunk = 0; allowed: 1 or more"),
    ({"heads": 4}, "heads = 4 does not divide width 6; allowed: a divisor"),
  ],
)
def test_what_does_not_fit_is_refused(fields, message):
  with pytest.raises(ValueError, match=message):
    LinearAttention(**fields).init(jax.random.key(0), X, whole(X))
