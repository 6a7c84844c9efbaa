"""ALiBi: attention with linear biases (Press 2022).

Formula: score − m_h |p_q − p_k|, with slopes m_h that fall geometrically from
head to head. Cost: O(t s) per head, no parameters.

The paper is causal; the distance |p_q − p_k| serves later keys as it serves
earlier ones, so the same bias is used in both directions.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from research.places import Pairs
from research.positions.base import ScorePosition, differences
from research.shapes import Keys, Queries


class ALiBi(ScorePosition):
  """Far keys score lower, in every head at its own pace."""

  def bias(self, q: Queries, k: Keys, pairs: Pairs) -> Float[Array, "b h t s"]:
    distance = jnp.abs(differences(pairs))
    slopes = jnp.asarray(slopes_of(q.shape[2]), jnp.float32)
    return -slopes[None, :, None, None] * distance[:, None]


def slopes_of(heads: int) -> tuple[float, ...]:
  """m_h of every head, from the steepest on.

  2^(−8/n), 2^(−16/n), …, 2^(−8) for n heads, a power of two. Other numbers
  take the slopes of the next lower power, and then every second one of the
  next higher power, from its first on (the authors' code).
  """
  lower = 2 ** (heads.bit_length() - 1)
  few = [2.0 ** (-8 * (i + 1) / lower) for i in range(lower)]
  more = [2.0 ** (-4 * (2 * i + 1) / lower) for i in range(heads - lower)]
  return (*few, *more)
