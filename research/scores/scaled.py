"""Scaled dot product (Vaswani 2017).

Formula: q · k / √k. Cost: O(t s k) per head, no parameters.
"""

from research.scores.base import Score


class ScaledDotProduct(Score):
  """Keeps the variance of the scores when the key width grows."""

  def scale(self, key_width: int) -> float:
    return key_width**-0.5

  @property
  def is_product(self) -> bool:
    return True
