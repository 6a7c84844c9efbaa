"""What is computed of one block of scores."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from research.evaluations.attention.base import Rules, Side, meet
from research.masks import Mask
from research.normalizers.base import Rows, nonzero
from research.places import Pairs


class At(NamedTuple):
  """Which block it is, counted in blocks: of heads, of queries and of keys."""

  group: Array
  row: Array
  column: Array


class Block:
  """The functions of one block of all heads, queries and keys.

  All that they give is float32, whatever the rules close over.

  Tensors have their heads first: queries [b h t k], keys [b g s k], values
  [b g s v], t and s of the block alone.

  Attributes:
    size: of a block, (queries, keys).
    heads: how many scores of a pair are in a block; None for all.
    rules: what is computed.
  """

  def __init__(
    self,
    size: tuple[int, int],
    heads: int | None,
    sides: tuple[Side, Side],
    mask: Mask,
    rules: Rules,
  ):
    self.size, self.heads, self.rules = size, heads, rules
    self._sides, self._mask = sides, mask

  def scores(self, q: Array, k: Array, at: At) -> Any:
    """Bent scores, who may look at whom, and where they stand."""
    pairs = self._meet(at)
    scores, allowed = self.rules.scores(swapped(q), swapped(k), pairs)
    return self.rules.normalizer.bend(scores, allowed), allowed, pairs

  def _meet(self, at: At) -> Pairs:
    (query, key), (t, s) = self._sides, self.size
    ends = _part(query, at.row, t), _part(key, at.column, s)
    if self.heads is None:
      return meet(self._mask, *ends, self.rules)
    heads = at.group * self.heads + jnp.arange(self.heads)
    return meet(self._mask, *ends, self.rules, heads=heads)

  def seen(self, at: At) -> Array:
    """Whether anybody may look at anybody."""
    return jnp.any(self._meet(at).allowed)

  def rows(self, q: Array, k: Array, rows: Rows, at: At) -> Rows:
    """What is known of the rows, this block included."""
    scores, allowed, _ = self.scores(q, k, at)
    return self._joined(scores, allowed, rows)

  def online(
    self,
    q: Array,
    k: Array,
    v: Array,
    rows: Rows,
    above: Array,
    at: At,
  ) -> tuple[Rows, Array]:
    """Rows, and what is read before it is divided, this block included."""
    scores, allowed, pairs = self.scores(q, k, at)
    joined = self._joined(scores, allowed, rows)
    weights = self.rules.normalizer.above(scores, allowed, joined)
    if v.dtype == jnp.float16:  # what is not divided may leave its range
      v = v.astype(jnp.float32)
    read = self._read(weights, v, pairs)
    return joined, above * jnp.exp(rows.top - joined.top) + read

  def read(
    self, q: Array, k: Array, v: Array, rows: Rows, at: At
  ) -> tuple[Array, Array]:
    """What is read from this block, and its part of the rows' totals."""
    scores, allowed, pairs = self.scores(q, k, at)
    normalizer = self.rules.normalizer
    total: Array = normalizer.total(scores, allowed, rows.top)
    total = total.astype(jnp.float32)
    plain = self.rules.weights is None and normalizer.online
    # What is read is less to divide than weights. In float16 their gradients,
    # divided by the total as well, would leave its range.
    if plain and v.dtype != jnp.float16:
      weights = normalizer.above(scores, allowed, rows).astype(jnp.float32)
      return self._read(weights, v, pairs) / self.divisor(rows), total
    weights = normalizer.share(scores, allowed, rows).astype(jnp.float32)
    if self.rules.weights is not None:
      seen = pairs._replace(allowed=allowed)
      weights = self.rules.weights(weights, seen)
    return self._read(weights, v, pairs), total

  def divisor(self, rows: Rows) -> Array:
    """What stands for whole rows below the line."""
    divisor: Array = self.rules.normalizer.divisor(rows)
    return nonzero(divisor.astype(jnp.float32))

  def _read(self, weights: Array, v: Array, pairs: Pairs) -> Array:
    read = self.rules.read(weights, swapped(v), pairs)
    return swapped(read).astype(jnp.float32)

  def _joined(self, scores: Array, allowed: Array, rows: Rows) -> Rows:
    normalizer = self.rules.normalizer
    top = jnp.maximum(rows.top, normalizer.top(scores, allowed))
    top = top.astype(jnp.float32)
    more = normalizer.total(scores, allowed, top)
    total = rows.total * jnp.exp(rows.top - top) + more
    return Rows(top, total.astype(jnp.float32))


def swapped(x: Array) -> Array:
  """Heads first instead of length first, or back."""
  return jnp.swapaxes(x, 1, 2)


def _part(side: Side, number: Array, size: int) -> Side:
  """Slice `number` of a side; its indices are known from here on."""
  start = number * size
  part: Side = jax.tree.map(
    lambda x: jax.lax.dynamic_slice_in_dim(x, start, size, 1), side
  )
  if side.indices is None:
    return part._replace(indices=start + jnp.arange(size)[None, :])
  return part
