"""Relative positions as vectors (Shaw 2018): one for each clipped difference.

Formula: a = clip(i − j, ±reach); q_i · A^K_a / √k is added to the score of
key j, and Σ_j w_ij A^V_a to what query i reads.
Cost: O(t s) per head beside q A^K, of O(t k reach); never a vector per pair.
"""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from research.places import Pairs
from research.positions.base import ScorePosition, differences
from research.shapes import Keys, Queries


class ShawRelative(ScorePosition):
  """Learned vectors for differences, shared by the heads.

  Keys after the query have differences below zero: a causal mask leaves
  their half of the tables untrained. Parameters: (2 reach + 1) (k + v), or
  (2 reach + 1) k without values.

  Attributes:
    reach: differences beyond it, on either side, are all alike.
    with_values: whether vectors are added to the values as well; the paper
      found those of the keys to be enough.
  """

  reach: int = 16
  with_values: bool = True

  def __post_init__(self) -> None:
    if self.reach < 1:
      raise ValueError(f"reach = {self.reach}; allowed: 1 or more")
    super().__post_init__()

  def setup(self) -> None:
    self.on_keys = _Vectors(2 * self.reach + 1)
    self.on_values = _Vectors(2 * self.reach + 1)

  def bias(self, q: Queries, k: Keys, pairs: Pairs) -> Float[Array, "b h t s"]:
    vectors = self.on_keys(q.shape[-1]).astype(q.dtype)
    scores = jnp.einsum(
      "bthk,nk->bhtn", q, vectors, preferred_element_type=jnp.float32
    )
    index = self._index(pairs)
    chosen = jnp.take_along_axis(
      scores, index, axis=3, mode="promise_in_bounds"
    )
    return chosen * q.shape[-1] ** -0.5

  def values(
    self,
    weights: Float[Array, "b h t s"],
    width: int,
    pairs: Pairs,
  ) -> Float[Array, "b t h v"] | None:
    if not self.with_values:
      return None
    index = self._index(pairs)
    batch, heads, queries, _ = weights.shape
    row, head, query, _ = jnp.ix_(*map(jnp.arange, weights.shape))
    # First the weights of equal differences are added up, then vectors.
    shape = (batch, heads, queries, 2 * self.reach + 1)
    total = jnp.zeros(shape, weights.dtype)
    total = total.at[row, head, query, index].add(weights)
    return jnp.einsum("bhtn,nv->bthv", total, self.on_values(width))

  def _index(self, pairs: Pairs) -> Int[Array, "b 1 t s"]:
    """Which vector belongs to each pair, for all heads."""
    apart = differences(pairs)
    return jnp.clip(apart, -self.reach, self.reach)[:, None] + self.reach


class _Vectors(nn.Module):
  """A table of `count` vectors; a module, as its width is known late."""

  count: int

  @nn.compact
  def __call__(self, width: int) -> Float[Array, "n width"]:
    # Vectors of length 1, on average.
    scale = nn.initializers.normal(width**-0.5)
    return self.param("table", scale, (self.count, width))
