"""Mamba-2 by its formula, and how it starts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.linear.mamba2 import Mamba2
from research.places import whole
from tests.linear.by_hand import (
  D,
  T,
  X,
  assert_agrees,
  joined,
  normed,
  projected,
  silu,
  softplus,
  split,
)


def formula(heads):
  def of(given, x):
    names = ("value", "key", "query")
    v, k, q = map(joined, projected(given, x, 1, names))
    if "filter" not in given:
      v, k, q = silu(v), silu(k), silu(q)
    v = split(v, heads)
    step = softplus(x @ given["step"]["kernel"] + given["dt_bias"])
    fade = np.exp(-np.exp(given["A_log"]) * step)
    matrix, y = 0, np.zeros_like(v)
    for t in range(T):
      new = np.einsum("bh,bk,bhv->bhkv", step[:, t], k[:, t], v[:, t])
      matrix = fade[:, t, :, None, None] * matrix + new
      y[:, t] = np.einsum("bhkv,bk->bhv", matrix, q[:, t])
      y[:, t] += given["D"][:, None] * v[:, t]
    y = joined(y) * silu(x @ given["gate"]["kernel"])
    return normed(y, given["norm"]["scale"]) @ given["out"]["kernel"]

  return of


@pytest.mark.parametrize("heads, convolution", [(1, 0), (2, 4)])
def test_it_is_its_formula(heads, convolution):
  mixer = Mamba2(heads=heads, state=3, chunk=3, convolution=convolution)
  assert_agrees(mixer, formula(heads))


def test_it_starts_as_in_the_paper():
  x = jnp.zeros((1, 1, 64))
  start = Mamba2(heads=64, state=2).init(jax.random.key(0), x, whole(x))
  given = jax.tree.map(np.asarray, start["params"])
  rate, step = np.exp(given["A_log"]), softplus(given["dt_bias"])
  assert 1 < rate.min() < 3 and 14 < rate.max() <= 16
  assert 0.001 <= step.min() < 0.0015 and 0.07 < step.max() <= 0.1
  assert 0.005 < np.median(step) < 0.02  # In the middle of the logarithms.
  assert (given["D"] == 1).all()
  assert 0.45 < np.abs(given["filter"]).max() <= 0.5


def test_its_state_shares_keys_between_heads():
  mixer = Mamba2(heads=2, state=3)
  assert mixer.state_size(D, 1) == 2 * D * 3 + 3 * (2 * D + 2 * 3)


@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ({"state": 0}, "state = 0; allowed: 1 or more"),
    ({"expand": 0.0}, "expand = 0.0; allowed: above 0"),
    ({"heads": 3}, "heads = 3 does not divide value width 8; allowed"),
  ],
)
def test_what_does_not_fit_is_refused(fields, message):
  x = jnp.asarray(X)
  with pytest.raises(ValueError, match=message):
    Mamba2(**fields).init(jax.random.key(0), x, whole(x))
