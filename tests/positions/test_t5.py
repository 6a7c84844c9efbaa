"""T5 buckets: worked by hand, against the formula, and its gradient."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.positions.t5 import T5Buckets
from tests.positions.problem import pairs
from tests.tolerance import assert_close


def buckets_of(encoding: T5Buckets, distances: list[int]) -> list[int]:
  found = encoding.bucket(jnp.asarray(distances)[None, None])
  return np.asarray(found)[0, 0].tolist()


def test_one_direction_by_hand():
  # 16 exact buckets, then 16 + ⌊16 · log8(d / 16)⌋: at 32 it is 5.33, at 64
  # it is 10.67; a step is a factor of 8^(1/16) = 1.139, so 18.2 and 20.7 are
  # the first two edges, and 112.4 the last.
  distances = [0, 1, 15, 16, 18, 19, 20, 21, 32, 64, 112, 113, 127, 128, 9999]
  wanted = [0, 1, 15, 16, 16, 17, 17, 18, 21, 26, 30, 31, 31, 31, 31]
  assert buckets_of(T5Buckets(), distances) == wanted
  # What comes later counts as the query itself.
  assert buckets_of(T5Buckets(), [-1, -200]) == [0, 0]


def test_both_directions_by_hand():
  # 8 exact buckets, then 8 + ⌊8 · log16(d / 8)⌋, a step of √2: the edges are
  # 11.3, 16, 22.6, 32, 45.3, 64 and 90.5. Later keys have the upper half.
  distances = [0, 7, 8, 11, 12, 15, 16, 22, 23, 31, 32, 45, 46, 63, 64, 90, 91]
  wanted = [0, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13, 14, 14, 15]
  encoding = T5Buckets(bidirectional=True)
  assert buckets_of(encoding, distances) == wanted
  later = [-distance for distance in distances[1:]]
  assert buckets_of(encoding, later) == [16 + n for n in wanted[1:]]


@pytest.mark.parametrize(
  "buckets, limit", [(2, 2), (7, 20), (10, 6), (32, 999)]
)
def test_buckets_follow_the_formula(buckets, limit):
  exact = buckets // 2
  distances = list(range(2 * limit))
  wanted = []
  for d in distances:
    if d >= exact:
      step = math.log(d / exact) / math.log(limit / exact)
      # The nudge is for edges that are whole numbers.
      d = exact + math.floor(step * (buckets - exact) + 1e-9)
    wanted.append(min(d, buckets - 1))
  assert buckets_of(T5Buckets(buckets, limit), distances) == wanted


def test_biases_are_rows_of_the_table():
  queries = np.array([[4, 9], [0, 30]])
  keys = np.array([[0, 4, 9, 11], [2, 3, 30, 31]])
  q, k = jnp.zeros((2, 2, 3, 4)), jnp.zeros((2, 4, 3, 4))
  where = pairs(queries, keys)
  encoding = T5Buckets(buckets=8, limit=16, bidirectional=True)
  generator = np.random.default_rng(3)
  table = np.float32(generator.normal(size=(8, 3)))
  seed = np.float32(generator.normal(size=(2, 3, 2, 4)))

  def bias_of(table: jax.Array) -> jax.Array:
    variables = {"params": {"table": table}}
    return encoding.apply(variables, q, k, where, method="bias")

  bias, back = jax.vjp(bias_of, jnp.asarray(table))
  # Two exact buckets, then those from 2, 6 (2 · √8 = 5.7) on; 4 more later.
  rows = np.array([[[2, 0, 6, 7], [3, 2, 0, 6]], [[6, 6, 7, 7], [3, 3, 0, 5]]])
  assert_close(bias, np.moveaxis(table[rows], -1, 1), level="core")
  gradient = np.zeros((8, 3))
  for b, t, s in np.ndindex(rows.shape):
    gradient[rows[b, t, s]] += seed[b, :, t, s]
  (found,) = back(jnp.asarray(seed))
  assert_close(found, gradient, level="core", gradient=True)


def test_refused():
  with pytest.raises(ValueError, match="buckets = 1; allowed: 2 or more"):
    T5Buckets(buckets=1)
  with pytest.raises(ValueError, match="buckets = 7; allowed: even, 4 or more"):
    T5Buckets(buckets=7, bidirectional=True)
  with pytest.raises(ValueError, match="limit = 16 .*; allowed: above 16"):
    T5Buckets(limit=16)
  T5Buckets(limit=9, bidirectional=True)
