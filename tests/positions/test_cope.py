"""CoPE counted key by key in float64."""

import jax.numpy as jnp
import numpy as np
import pytest

from research.positions.cope import CoPE
from tests.positions.problem import (
  APART,
  KEYS,
  PAIRS,
  QUERIES,
  assert_follows,
  draw,
)

Q, K = draw(0, (2, 3, 2, 4), (2, 5, 2, 4))
EVERYBODY = np.asarray(PAIRS.allowed)
SOME = np.random.default_rng(5).random(EVERYBODY.shape) < 0.7
SOME[0, :, 0] = False
"""The first query may look at nobody."""
MASKS = {"causal": APART[:, None] >= 0, "full": EVERYBODY, "some": SOME}
LIMIT = 3
"""The sum of five gates may exceed it."""


def bias(allowed, table, q, k):
  """What is added to the scores, under a mask [b 1 t s] or [b h t s]."""
  given = PAIRS._replace(allowed=jnp.asarray(allowed))
  variables = {"params": {"table": table}}
  return CoPE(LIMIT).apply(variables, q, k, given, method="bias")


def formula(allowed, table, q, k):
  """Only the allowed keys are scored; 0 elsewhere."""
  scores = np.zeros((2, 2, 3, 5))
  for b, h, t, s in np.ndindex(2, 2, 3, 5):
    if not allowed[b, 0, t, s]:
      continue
    behind = KEYS[b] > QUERIES[b, t]
    between = np.arange(5) <= s if behind[s] else np.arange(5) >= s
    counted = between & (behind == behind[s]) & allowed[b, 0, t]
    gates = 1 / (1 + np.exp(-k[b, :, h] @ q[b, t, h] / np.sqrt(4)))
    place = min(gates[counted].sum(), LIMIT - 1)
    floor, ceiling = int(np.floor(place)), int(np.ceil(place))
    share = place - floor
    vector = (1 - share) * table[floor] + share * table[ceiling]
    scores[b, h, t, s] = q[b, t, h] @ vector
  return scores


@pytest.mark.parametrize("mask", MASKS)
def test_scores_are_those_of_the_paper(mask):
  allowed = MASKS[mask]

  def ours(*inputs):
    return jnp.where(jnp.asarray(allowed), bias(allowed, *inputs), 0.0)

  assert_follows(
    ours,
    lambda *inputs: formula(allowed, *inputs),
    *draw(1, (LIMIT, 4)),
    *(Q, K),
  )


def test_the_limit_is_reached_and_counts_differ():
  """Otherwise the test above would not see clamping."""
  gates = 1 / (1 + np.exp(-np.einsum("bthk,bshk->bhts", Q, K) / np.sqrt(4)))
  total = (gates * MASKS["causal"]).sum(axis=-1)
  assert total.min() < LIMIT - 1 < total.max()


def test_keys_that_are_forbidden_change_nothing():
  table = draw(1, (LIMIT, 4))[0]

  def scores(k, allowed):
    found = np.asarray(bias(allowed, table, jnp.asarray(Q), k))
    return found[:, :, :, [0, 1, 3, 4]]

  allowed = EVERYBODY & (np.arange(5) != 2)
  keys = jnp.asarray(K)
  other = keys.at[:, 2].add(1)
  np.testing.assert_array_equal(scores(keys, allowed), scores(other, allowed))
  assert (scores(keys, EVERYBODY) != scores(other, EVERYBODY)).any()


def test_heads_may_have_masks_of_their_own():
  inputs = [jnp.asarray(x) for x in (*draw(1, (LIMIT, 4)), Q, K)]
  own = MASKS["causal"], MASKS["some"]
  together = bias(np.concatenate(own, axis=1), *inputs)
  apart = [bias(mask, *inputs)[:, h] for h, mask in enumerate(own)]
  np.testing.assert_array_equal(together, np.stack(apart, axis=1))


def test_needs_all_keys_at_once():
  assert not CoPE().blockable


def test_refused():
  with pytest.raises(ValueError, match="limit = 1; allowed: 2 or more"):
    CoPE(limit=1)
