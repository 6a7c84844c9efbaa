"""Edit distance: how many tokens to insert, delete or exchange."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int


def edit_distance(
  a: Int[Array, "b t"],
  sizes_a: Int[Array, "b"],
  b: Int[Array, "b s"],
  sizes_b: Int[Array, "b"],
) -> Int[Array, "b"]:
  """The fewest insertions, deletions and exchanges from `a` to `b`.

  Formula (Levenshtein 1966, Wagner 1974): D_{i,0} = i, D_{0,j} = j,

    D_{i,j} = min(D_{i−1,j} + 1, D_{i,j−1} + 1, D_{i−1,j−1} + [a_i ≠ b_j]).

  A row is made at once: with C_{i,j} the minimum of the first and the third,
  and C_{i,0} = i, D_{i,j} = j + min over k ≤ j of (C_{i,k} − k).

  The error rate of characters or words is the sum of the distances over the
  sum of the sizes of the references. Cost: O(t s), in t steps.

  Args:
    a: tokens, and behind them anything.
    sizes_a: how many tokens there are in each row, 0 to t.
    b: the others.
    sizes_b: how many of these, 0 to s.
  """
  index = jnp.arange(b.shape[1] + 1)[None, :]

  def step(
    row: Int[Array, "b after"], given: tuple[Int[Array, ""], Int[Array, "b"]]
  ) -> tuple[Int[Array, "b after"], None]:
    i, token = given
    exchanged = row[:, :-1] + (b != token[:, None])
    cheapest = jnp.minimum(row[:, 1:] + 1, exchanged)
    cheapest = jnp.concatenate([jnp.full_like(row[:, :1], i), cheapest], 1)
    new = index + jax.lax.cummin(cheapest - index, axis=1)
    # Beyond the end of `a` the last row stays.
    return jnp.where((i <= sizes_a)[:, None], new, row), None

  start = jnp.broadcast_to(index, (len(a), index.shape[1]))
  rows = (1 + jnp.arange(a.shape[1]), a.T)
  last, _ = jax.lax.scan(step, start, rows)
  return jnp.take_along_axis(last, sizes_b[:, None], axis=1)[:, 0]
