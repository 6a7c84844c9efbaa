"""Softmax (Bridle 1990; in attention Bahdanau 2015).

Formula: exp(s_j) / Σ_i exp(s_i) over the allowed keys. Cost: O(s) a query.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from research.normalizers.base import (
  Allowed,
  Normalizer,
  Rows,
  Weights,
  exponentials,
  largest,
)
from research.scores.base import Scores


class Softmax(Normalizer):
  """Positive weights that sum to one."""

  def top(self, scores: Scores, allowed: Allowed) -> Float[Array, "b h t 1"]:
    return largest(scores, allowed)

  def total(
    self, scores: Scores, allowed: Allowed, top: Float[Array, "b h t 1"]
  ) -> Float[Array, "b h t 1"]:
    return exponentials(scores, allowed, top)

  def numerators(self, scores: Scores, rows: Rows) -> Weights:
    return jnp.exp(scores - rows.top)

  @property
  def online(self) -> bool:
    return True

  def divisor(self, rows: Rows) -> Float[Array, "b h t 1"]:
    return jnp.where(rows.total > 0, rows.total, 1.0)
