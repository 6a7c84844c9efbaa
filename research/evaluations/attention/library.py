"""Attention by `jax.nn.dot_product_attention`, and by cuDNN through it."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from research.evaluations.attention.base import GroupValues
from research.normalizers.base import Allowed
from research.shapes import Queries, SharedKeys


def library(
  q: Queries,
  k: SharedKeys,
  v: GroupValues,
  allowed: Allowed,
  scale: float,
) -> Float[Array, "b t h v"]:
  """softmax(scale · q · k) v over the allowed keys.

  The mask is an array, O(t s) memory, one byte a pair; on a CPU all scores
  are held as well. Groups of heads share keys without copies.
  """
  y = jax.nn.dot_product_attention(q, k, v, mask=allowed, scale=scale)
  # Where nobody is allowed, the library gives the mean of all values.
  somebody = jnp.any(allowed, axis=-1)
  return jnp.where(jnp.swapaxes(somebody, 1, 2)[..., None], y, 0.0)
