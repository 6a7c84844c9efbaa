"""Bilinear score ("general" of Luong 2015).

Formula: qᵀ W_h k / √k, one learned matrix W_h [k k] a head. Luong's matrix is
W_h / √k: dividing keeps its steps in proportion when the key width grows.
W_h starts at the identity, where the score is the scaled dot product.
Cost: O(t k²) more than the O(t s k) of a dot product, h k² parameters.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from research.scores.base import Score
from research.shapes import Queries, SharedKeys


class General(Score):
  """Each head learns which numbers of queries and keys belong together.

  The queries are multiplied when they are made, so that positions turn
  W_hᵀ q and k, and what is compared is still a product.
  """

  @nn.compact
  def prepare(self, q: Queries, k: SharedKeys) -> tuple[Queries, SharedKeys]:
    heads, width = q.shape[2:]
    matrix = self.param("matrix", _identity, (heads, width, width))
    # i: the key width on the side of the queries.
    return jnp.einsum("bthi,hik->bthk", q, matrix.astype(q.dtype)), k

  def scale(self, key_width: int) -> float:
    return key_width**-0.5

  @property
  def is_product(self) -> bool:
    return True


def _identity(
  key: jax.Array, shape: tuple[int, int, int]
) -> Float[Array, "h k k"]:
  """The same matrix for every head; queries and keys tell them apart."""
  return jnp.broadcast_to(jnp.eye(shape[-1]), shape)
