"""CoPE, contextual positions (Golovneva 2024): the query says what counts.

Formula: g_ij = σ(q_i · k_j / √k) for allowed keys, p_ij = min(Σ g_i from j to
i, limit − 1); q_i · e[p_ij], between two vectors in proportion, is added.
Cost: O(t s k) per head beside the score, and O(t limit k) for q e.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from research.places import Pairs
from research.positions.base import ScorePosition, differences
from research.shapes import Keys, Queries


class CoPE(ScorePosition):
  """Positions counted in keys that the query finds relevant.

  Keys that are not allowed count nothing. Of positions only the order is
  read: they say which keys stand after the query, and to these it is counted
  forwards, by the same vectors (the paper has causal attention alone). In
  cross-attention, the query stands among the keys of the source where its
  own position says. As every count needs all keys in between, it cannot be
  computed in blocks. What is added is not divided by √k, as in the paper.
  Parameters: limit k, shared by the heads and zero at the start.

  Attributes:
    limit: the number of vectors; farther keys have the last one.
  """

  limit: int = 64

  def __post_init__(self) -> None:
    if self.limit < 2:
      raise ValueError(f"limit = {self.limit}; allowed: 2 or more")
    super().__post_init__()

  @property
  def blockable(self) -> bool:
    return False

  @nn.compact
  def bias(self, q: Queries, k: Keys, pairs: Pairs) -> Float[Array, "b h t s"]:
    vectors = self.param(
      "table", nn.initializers.zeros, (self.limit, q.shape[-1])
    )
    high = jnp.float32
    fits = jnp.einsum("bthk,bshk->bhts", q, k, preferred_element_type=high)
    gates = jax.nn.sigmoid(fits * q.shape[-1] ** -0.5)
    gates = jnp.where(pairs.allowed, gates, 0.0)
    after = (differences(pairs) < 0)[:, None]
    place = jnp.minimum(_counted(gates, after), self.limit - 1)
    # The last pair of vectors serves the limit itself as well.
    lower = jnp.minimum(place.astype(jnp.int32), self.limit - 2)
    scores = jnp.einsum(
      "bthk,nk->bhtn", q, vectors.astype(q.dtype), preferred_element_type=high
    )
    low = _chosen(scores, lower)
    step = _chosen(jnp.diff(scores, axis=3), lower)
    return low + (place - lower) * step


def _counted(
  gates: Float[Array, "b h t s"], after: Array
) -> Float[Array, "b h t s"]:
  """The sum of the gates from each key to the query, the key's included."""
  before = jax.lax.cumsum(jnp.where(after, 0.0, gates), axis=3, reverse=True)
  behind = jax.lax.cumsum(jnp.where(after, gates, 0.0), axis=3)
  return jnp.where(after, behind, before)


def _chosen(
  x: Float[Array, "b h t n"], index: Array
) -> Float[Array, "b h t s"]:
  """One number for each key, by an index that is known to be inside."""
  return jnp.take_along_axis(x, index, axis=3, mode="promise_in_bounds")
