"""Transformer-XL's scores with a sinusoid made for every pair, in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.positions.transformer_xl import TransformerXL
from tests.positions.problem import (
  APART,
  KEYS,
  QUERIES,
  assert_follows,
  draw,
  pairs,
)
from tests.tolerance import assert_close

XL = TransformerXL(base=100.0, width=6)
SHAPES = {"content": (2, 4), "place": (2, 4), "project": (6, 2, 4)}
PARAMETERS = dict(zip(SHAPES, draw(1, *SHAPES.values()), strict=True))
Q, K = draw(0, (2, 3, 2, 4), (2, 5, 2, 4))


def ours(parameters, q, k, shift=0):
  where = pairs(QUERIES + shift, KEYS + shift)
  return XL.apply({"params": parameters}, q, k, where, method="bias")


def formula(parameters, q, k):
  u, v = parameters["content"], parameters["place"]
  angle = APART[..., None] * 100.0 ** (-np.arange(3) / 3)
  waves = np.concatenate([np.sin(angle), np.cos(angle)], axis=-1)
  vectors = np.einsum("btsw,whk->btshk", waves, parameters["project"])
  scores = np.einsum("hk,bshk->bhs", u, k)[:, :, None, :] + np.einsum(
    "bthk,btshk->bhts", q + v, vectors
  )
  return scores / np.sqrt(4)


def test_scores_are_those_of_the_paper():
  assert_follows(ours, formula, PARAMETERS, Q, K)


@pytest.mark.parametrize("shift", [10_000_000, -10_000_000])
def test_far_positions_are_as_exact_as_near_ones(shift):
  far = jax.jit(ours)(PARAMETERS, jnp.asarray(Q), jnp.asarray(K), shift)
  precise = jax.tree.map(np.float64, (PARAMETERS, Q, K))
  assert_close(far, formula(*precise), level="module")


@pytest.mark.parametrize(
  "fields, message",
  [
    ({"base": 0.0}, "base = 0.0; allowed: above 0"),
    ({"width": 5}, "width = 5; allowed: even, 2 or more"),
    ({"width": 0}, "width = 0; allowed: even, 2 or more"),
  ],
)
def test_refused(fields, message):
  with pytest.raises(ValueError, match=message):
    TransformerXL(**fields)


def test_far_positions_are_as_exact_behind_padding():
  """Padding stands at 0, in front of all others."""
  far = KEYS + 10_000_000
  far[:, :2] = 0

  @jax.jit
  def scores():
    where = pairs(QUERIES + 10_000_000, far)
    given = jnp.asarray(Q), jnp.asarray(K), where
    return XL.apply({"params": PARAMETERS}, *given, method="bias")

  wanted = formula(*jax.tree.map(np.float64, (PARAMETERS, Q, K)))
  found = scores()[..., 2:]
  assert_close(found, wanted[..., 2:], level="module")
