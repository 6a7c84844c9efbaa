"""Softmax (Bridle 1990; in attention Bahdanau 2015).

Formula: exp(s_j) / Σ_i exp(s_i) over the allowed keys. Cost: O(s) a query.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from research.normalizers.base import Exponential, Rows


class Softmax(Exponential):
  """Positive weights that sum to one."""

  def divisor(self, rows: Rows) -> Float[Array, "b h t 1"]:
    return jnp.where(rows.total > 0, rows.total, 1.0)
