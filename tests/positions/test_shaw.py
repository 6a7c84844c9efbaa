"""Shaw's vectors against sums over all pairs in float64."""

import jax.numpy as jnp
import numpy as np
import pytest

from research.positions.shaw import ShawRelative
from tests.positions.problem import (
  APART,
  PAIRS,
  assert_follows,
  draw,
)

REACH = 5
"""Some differences are beyond it on both sides, some within."""
INDEX = np.clip(APART, -REACH, REACH) + REACH
Q, K = draw(0, (2, 3, 2, 4), (2, 5, 2, 4))


def test_scores_are_those_of_the_paper():
  def ours(table, q, k):
    return ShawRelative(REACH).apply(
      {"params": {"on_keys": {"table": table}}},
      *(q, k, PAIRS),
      method="bias",
    )

  def formula(table, q, k):
    pairs = table[INDEX]
    return np.einsum("bthk,btsk->bhts", q, pairs) / np.sqrt(4) + 0 * k.sum()

  assert set(INDEX.ravel()) >= {0, 2 * REACH}
  assert_follows(ours, formula, *draw(1, (2 * REACH + 1, 4)), Q, K)


def test_values_are_those_of_the_paper():
  def ours(table, weights):
    return ShawRelative(REACH).apply(
      {"params": {"on_values": {"table": table}}},
      *(weights, 6, PAIRS),
      method="values",
    )

  def formula(table, weights):
    return np.einsum("bhts,btsv->bthv", weights, table[INDEX])

  assert_follows(ours, formula, *draw(2, (2 * REACH + 1, 6), (2, 2, 3, 5)))


def test_values_may_be_left_out():
  weights = jnp.ones((2, 2, 3, 5))
  alone = ShawRelative(with_values=False)
  assert alone.apply({}, weights, 6, PAIRS, method="values") is None


def test_refused():
  with pytest.raises(ValueError, match="reach = 0; allowed: 1 or more"):
    ShawRelative(reach=0)
