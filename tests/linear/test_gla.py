"""Gated linear attention by its formula, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.linear.gla import GatedLinearAttention
from research.places import whole
from tests.linear.by_hand import (
  T,
  X,
  assert_agrees,
  joined,
  normed,
  projected,
  sigmoid,
  silu,
  split,
)


def formula(heads):
  def of(given, x):
    q, k, v = projected(given, x, heads, ("query", "key", "value"))
    into, out = given["decay_in"], given["decay_out"]
    gate = sigmoid(x @ into["kernel"] @ out["kernel"] + out["bias"])
    fade = split(gate ** (1 / 16), heads)
    matrix, y = 0, np.zeros_like(v)
    for t in range(T):
      new = np.einsum("bhk,bhv->bhkv", k[:, t], v[:, t])
      matrix = fade[:, t, :, :, None] * matrix + new
      y[:, t] = np.einsum("bhkv,bhk->bhv", matrix, q[:, t])
    y = joined(normed(y / np.sqrt(k.shape[-1]), given["norm"]["scale"]))
    gate = silu(x @ given["gate"]["kernel"])
    return (gate * y) @ given["out"]["kernel"]

  return of


@pytest.mark.parametrize("heads, convolution", [(1, 0), (2, 2)])
def test_it_is_its_formula(heads, convolution):
  mixer = GatedLinearAttention(
    heads=heads, chunk=3, rank=2, convolution=convolution
  )
  assert_agrees(mixer, formula(heads))


@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ({"expand_k": 0.0}, "expand_k = 0.0; allowed: above 0"),
    ({"temperature": 0.0}, "temperature = 0.0; allowed: above 0"),
    ({"rank": 0}, "rank = 0; allowed: 1 or more"),
    ({"convolution": -1}, "convolution = -1; allowed: 0 or more"),
    ({"expand_k": 0.1}, "expand_k = 0.1 times width 4 is 0.4; allowed"),
    ({"heads": 4}, "heads = 4 does not divide key width 2; allowed"),
  ],
)
def test_what_does_not_fit_is_refused(fields, message):
  x = jnp.asarray(X)
  with pytest.raises(ValueError, match=message):
    GatedLinearAttention(**fields).init(jax.random.key(0), x, whole(x))


@pytest.mark.usefixtures("unchecked")
def test_an_unknown_form_is_refused():
  with pytest.raises(ValueError, match="form = 'fast'; allowed: 'auto', 'par"):
    GatedLinearAttention(form="fast")
