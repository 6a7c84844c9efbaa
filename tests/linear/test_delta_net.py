"""DeltaNet by its formula, and what twice the β is for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.linear.base import unit
from research.linear.delta_net import DeltaNet
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
)
from tests.linear.by_hand import unit as unit_by_hand


def formula(heads, most):
  def of(given, x):
    q, k, v = projected(given, x, heads, ("query", "key", "value"))
    if "filter" not in given:
      q, k, v = silu(q), silu(k), silu(v)
    q, k = unit_by_hand(q), unit_by_hand(k)
    beta = most * sigmoid(x @ given["beta"]["kernel"])
    y = delta_rule(q, k, v, beta, np.ones_like(beta))
    return joined(normed(y, given["norm"]["scale"])) @ given["out"]["kernel"]

  return of


@pytest.mark.parametrize("heads, convolution", [(1, 0), (2, 4)])
def test_it_is_its_formula(heads, convolution):
  negative = heads == 2
  mixer = DeltaNet(
    heads=heads,
    chunk=3,
    convolution=convolution,
    negative_eigenvalues=negative,
  )
  assert_agrees(mixer, formula(heads, 2 if negative else 1))


def test_no_vector_has_no_slope_and_none_is_longer_than_one():
  x = jnp.zeros((1, 2, 1, 3)).at[0, 1].set(jnp.array([[3e4, 1.0, 2.0]]))
  y, back = jax.vjp(unit, x)
  (slope,) = back(jnp.ones_like(y))
  assert np.isfinite(slope).all() and not y[0, 0].any()
  assert np.linalg.norm(y[0, 1]) == pytest.approx(1, abs=1e-6)


def test_heads_that_do_not_fit_are_refused():
  x = jnp.asarray(X)
  with pytest.raises(ValueError, match="heads = 3 does not divide width 4; al"):
    DeltaNet(heads=3).init(jax.random.key(0), x, whole(x))
