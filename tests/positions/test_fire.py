"""FIRE against its formula in float64, within its threshold and beyond."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.positions.fire import Fire
from tests.positions.problem import (
  KEYS,
  PAIRS,
  QUERIES,
  assert_follows,
  draw,
  pairs,
)

FIRE = Fire(hidden=3, slope=0.3, threshold=7.0)
SHAPES = {"into": (3,), "into_bias": (3,), "out": (3, 2), "out_bias": (2,)}
SHAPES |= {"log_slope": (), "log_threshold": ()}
Q, K = draw(0, (2, 3, 2, 4), (2, 5, 2, 4))


def formula(parameters, q, k):
  slope = 0.3 * np.exp(parameters["log_slope"])
  threshold = 7.0 * np.exp(parameters["log_threshold"])
  scores = np.zeros((2, 2, 3, 5)) + 0 * (q.sum() + k.sum())
  for b, t, s in np.ndindex(2, 3, 5):
    i, j = QUERIES[b, t], KEYS[b, s]
    whole = max(threshold, i, j)
    x = np.log(slope * abs(i - j) + 1) / np.log(slope * whole + 1)
    hidden = parameters["into"] * x + parameters["into_bias"]
    out = np.maximum(hidden, 0) @ parameters["out"]
    scores[b, :, t, s] = out + parameters["out_bias"]
  return scores


def ours(parameters, q, k):
  return FIRE.apply({"params": parameters}, q, k, PAIRS, method="bias")


def test_scores_are_those_of_the_paper():
  parameters = dict(zip(SHAPES, draw(1, *SHAPES.values()), strict=True))
  assert_follows(ours, formula, parameters, Q, K)


def test_the_first_token_alone_is_finite():
  zero = pairs([[0], [0]], [[0], [0]])
  q, k = jnp.asarray(Q[:, :1]), jnp.asarray(K[:, :1])

  @jax.jit
  @jax.grad
  def slopes(variables):
    return FIRE.apply(variables, q, k, zero, method="bias").sum()

  variables = FIRE.init(jax.random.key(0), q, k, zero, method="bias")
  assert all(np.isfinite(g).all() for g in jax.tree.leaves(slopes(variables)))


@pytest.mark.parametrize(
  "fields, message",
  [
    ({"hidden": 0}, "hidden = 0; allowed: 1 or more"),
    ({"slope": 0.0}, "slope = 0.0; allowed: above 0"),
    ({"threshold": -1.0}, "threshold = -1.0; allowed: above 0"),
  ],
)
def test_refused(fields, message):
  with pytest.raises(ValueError, match=message):
    Fire(**fields)
