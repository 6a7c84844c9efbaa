"""Retention by its formula, with complex numbers for its positions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.linear.retention import Retention
from research.places import whole
from tests.linear.by_hand import (
  POSITIONS,
  B,
  D,
  T,
  X,
  assert_agrees,
  joined,
  projected,
  silu,
)


def turned(x, positions):
  """Half of each head turned against the other half by 100^(−2i/k) p."""
  half = x.shape[-1] // 2
  rate = 100.0 ** (-np.arange(half) / half)
  angle = positions[..., None, None] * rate
  left, right = x[..., :half], x[..., half:]
  cos, sin = np.cos(angle), np.sin(angle)
  turned = [left * cos - right * sin, right * cos + left * sin]
  return np.concatenate(turned, axis=-1)


def formula(heads):
  def of(given, x):
    q, k, v = projected(given, x, heads, ("query", "key", "value"))
    q, k = (turned(part, POSITIONS) for part in (q, k))
    fade = 1 - 2.0 ** (-5 - np.arange(heads))
    matrix, y = 0, np.zeros_like(v)
    for t in range(T):
      new = np.einsum("bhk,bhv->bhkv", k[:, t] / np.sqrt(k.shape[-1]), v[:, t])
      matrix = fade[:, None, None] * matrix + new
      y[:, t] = np.einsum("bhkv,bhk->bhv", matrix, q[:, t])
    y = y - y.mean(axis=-1, keepdims=True)
    y = y / np.sqrt(np.mean(y * y, axis=-1, keepdims=True) + 1e-5)
    gate = silu(x @ given["gate"]["kernel"])
    return (gate * joined(y)) @ given["out"]["kernel"]

  return of


@pytest.mark.parametrize("heads, convolution", [(1, 0), (2, 3)])
def test_it_is_its_formula(heads, convolution):
  mixer = Retention(heads=heads, chunk=3, convolution=convolution, base=100.0)
  assert_agrees(mixer, formula(heads))


@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ({"expand_v": 0.0}, "expand_v = 0.0; allowed: above 0"),
    ({"base": -1.0}, "base = -1.0; allowed: above 0"),
    ({"heads": 4}, "key width = 1 cannot be rotated; allowed: even"),
    ({"expand_v": 0.3}, "expand_v = 0.3 times width 4 is 1.2; allowed"),
    (
      {"heads": 2, "expand_v": 0.75},
      "heads = 2 does not divide value width 3; allowed: a divisor",
    ),
  ],
)
def test_what_does_not_fit_is_refused(fields, message):
  x = jnp.asarray(X)
  with pytest.raises(ValueError, match=message):
    Retention(**fields).init(jax.random.key(0), x, whole(x))


def test_its_state_is_a_matrix_a_head():
  assert Retention(heads=2).state_size(D, B) == 2 * 2 * 4
