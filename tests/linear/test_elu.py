"""Linear attention by its formula, in chunks, and both ways."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.linear.elu import LinearAttention
from research.places import whole
from tests.linear.by_hand import B, D, T, X, assert_agrees, joined, projected


def formula(heads, bidirectional):
  """Token by token; both ways, every token reads the sum of all."""

  def of(given, x):
    q, k, v = projected(given, x, heads, ("query", "key", "value"))
    q, k = (np.where(a.real > 0, a, np.expm1(a)) + 1 for a in (q, k))
    matrices = np.einsum("bthk,bthv->bthkv", k, v).cumsum(axis=1)
    totals = k.cumsum(axis=1)
    if bidirectional:
      matrices, totals = (
        np.repeat(a[:, -1:], T, axis=1) for a in (matrices, totals)
      )
    y = np.einsum("bthk,bthkv->bthv", q, matrices)
    total = np.sum(q * totals, axis=-1, keepdims=True) + 1e-6
    return joined(y / total) @ given["out"]["kernel"]

  return of


@pytest.mark.parametrize(
  ("heads", "chunk", "convolution", "bidirectional"),
  [(2, 1, 0, False), (2, 3, 0, True), (1, 0, 3, True), (1, 64, 2, False)],
)
def test_it_is_its_formula(heads, chunk, convolution, bidirectional):
  mixer = LinearAttention(
    heads=heads,
    chunk=chunk,
    convolution=convolution,
    bidirectional=bidirectional,
  )
  assert mixer.causal is not bidirectional
  assert_agrees(mixer, formula(heads, bidirectional))


def test_its_state_is_float32_in_bfloat16():
  mixer, heads = LinearAttention(heads=2, chunk=4), 2
  x = jnp.asarray(X, jnp.bfloat16)
  variables = mixer.init(jax.random.key(0), x, whole(x))
  y, new = mixer.apply(variables, x, whole(x), mutable=["cache"])
  cache = new["cache"]
  assert y.dtype == jnp.bfloat16
  assert cache["matrix"].dtype == jnp.float32
  # The last column is the normaliser.
  assert cache["matrix"].shape == (B, heads, D // heads, D // heads + 1)
  assert mixer.state_size(D, T) == mixer.state_size(D, 1) == D * D // heads + D


@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ({"heads": 0}, "heads = 0; allowed: 1 or more"),
    ({"chunk": -1}, "chunk = -1; allowed: 0 or more"),
    ({"heads": 3}, "heads = 3 does not divide width 4; allowed: a divisor"),
  ],
)
def test_what_does_not_fit_is_refused(fields, message):
  x = jnp.asarray(X)
  with pytest.raises(ValueError, match=message):
    LinearAttention(**fields).init(jax.random.key(0), x, whole(x))
