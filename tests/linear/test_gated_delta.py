"""Gated DeltaNet by its formula, and how it starts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.linear.gated_delta import GatedDeltaNet
from research.places import whole
from tests.linear.by_hand import (
  X,
  assert_agrees,
  delta_rule,
  joined,
  normed,
  projected,
  sigmoid,
  silu,
  softplus,
  unit,
)


def formula(heads, most):
  def of(given, x):
    q, k, v = projected(given, x, heads, ("query", "key", "value"))
    if "filter" not in given:
      q, k, v = silu(q), silu(k), silu(v)
    q, k = unit(q), unit(k)
    beta = most * sigmoid(x @ given["beta"]["kernel"])
    step = softplus(x @ given["step"]["kernel"] + given["dt_bias"])
    fade = np.exp(-np.exp(given["A_log"]) * step)
    y = delta_rule(q, k, v, beta, fade)
    y = joined(normed(y, given["norm"]["scale"]))
    gate = silu(x @ given["gate"]["kernel"])
    return (gate * y) @ given["out"]["kernel"]

  return of


@pytest.mark.parametrize("heads, convolution", [(1, 0), (2, 4)])
def test_it_is_its_formula(heads, convolution):
  negative = heads == 1
  mixer = GatedDeltaNet(
    heads=heads,
    chunk=3,
    convolution=convolution,
    negative_eigenvalues=negative,
  )
  assert_agrees(mixer, formula(heads, 2 if negative else 1))


def test_it_starts_as_in_the_paper():
  x = jnp.zeros((1, 1, 64))
  start = GatedDeltaNet(heads=64).init(jax.random.key(0), x, whole(x))
  given = jax.tree.map(np.asarray, start["params"])
  rate, step = np.exp(given["A_log"]), softplus(given["dt_bias"])
  assert 0 < rate.min() < 1 and 14 < rate.max() <= 16
  assert 0.001 <= step.min() < 0.0015 and 0.07 < step.max() <= 0.1


@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ({"expand_v": -1.0}, "expand_v = -1.0; allowed: above 0"),
    ({"expand_k": 0.0}, "expand_k = 0.0; allowed: above 0"),
    ({"heads": 8}, "heads = 8 does not divide width 4; allowed"),
  ],
)
def test_what_does_not_fit_is_refused(fields, message):
  x = jnp.asarray(X)
  with pytest.raises(ValueError, match=message):
    GatedDeltaNet(**fields).init(jax.random.key(0), x, whole(x))
