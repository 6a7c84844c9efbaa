"""T5 buckets: one learned number for each range of distances (Raffel 2020).

Formula: score + E[bucket(p_q − p_k), h], E ∈ [buckets h]. Of n buckets the
first e = n // 2 hold the distances 0 … e − 1, the others ranges that grow
geometrically up to `limit`: bucket(d) = e + ⌊ln(d / e) / ln(limit / e) ·
(n − e)⌋, at most n − 1. In one direction keys that come later count as
distance 0. In both directions earlier and later keys have half of the buckets
each. Cost: O(t s) per head, buckets · h parameters.

T5 adds it to plain dot products, without 1 / √k, in every layer the same;
here each layer learns its own.
"""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from research.places import Pairs
from research.positions.base import ScorePosition, differences
from research.shapes import Keys, Queries


class T5Buckets(ScorePosition):
  """Near distances one by one, far ones by their magnitude.

  Attributes:
    buckets: the rows of the table.
    limit: all distances from here on share the last bucket.
    bidirectional: whether later keys have buckets of their own.
    scale: standard deviation of the table at the start.
  """

  buckets: int = 32
  limit: int = 128
  bidirectional: bool = False
  scale: float = 0.02

  def __post_init__(self) -> None:
    least = 4 if self.bidirectional else 2
    if self.buckets < least or self.bidirectional and self.buckets % 2:
      wanted = "even, 4 or more" if self.bidirectional else "2 or more"
      raise ValueError(f"buckets = {self.buckets}; allowed: {wanted}")
    if self.limit <= self._each // 2:
      raise ValueError(
        f"limit = {self.limit} with buckets = {self.buckets}; allowed: above "
        f"{self._each // 2}, the distances that have their own bucket"
      )
    super().__post_init__()

  @nn.compact
  def bias(self, q: Queries, k: Keys, pairs: Pairs) -> Float[Array, "b h t s"]:
    table = self.param(
      "table",
      nn.initializers.normal(self.scale),
      (self.buckets, q.shape[2]),
    )
    rows = table[self.bucket(differences(pairs))]
    return jnp.moveaxis(rows, -1, 1).astype(jnp.float32)

  def bucket(self, distance: Int[Array, "b t s"]) -> Int[Array, "b t s"]:
    """The bucket of each distance, negative behind the query."""
    edges = jnp.asarray(_edges(self._each, self.limit))
    size = jnp.abs(distance)
    if not self.bidirectional:
      size = jnp.maximum(distance, 0)
    found = jnp.searchsorted(edges, size, side="right")
    if self.bidirectional:
      found = found + jnp.where(distance < 0, self._each, 0)
    return found

  @property
  def _each(self) -> int:
    """The buckets of one direction."""
    return self.buckets // 2 if self.bidirectional else self.buckets


def _edges(buckets: int, limit: int) -> list[int]:
  """The smallest distance of every bucket but the first.

  In whole numbers: floating logarithms put some distances a bucket too low,
  and not the same ones on every device.
  """
  exact = buckets // 2
  wide = buckets - exact
  edges = list(range(1, exact + 1))
  for i in range(1, wide):
    # d lies in wide bucket i or beyond if (d / e)^wide >= (limit / e)^i.
    d = max(edges[-1], int(exact * (limit / exact) ** (i / wide)) - 1)
    while d**wide * exact**i < limit**i * exact**wide:
      d += 1
    edges.append(d)
  return edges
