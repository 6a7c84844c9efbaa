"""Plain dot product ("dot" of Luong 2015).

Formula: q · k. Cost: O(t s k) per head, no parameters.
"""

from research.scores.base import Score


class DotProduct(Score):
  """Scores grow like √k with the key width, and the weights sharpen."""

  def scale(self, key_width: int) -> float:
    return 1.0

  @property
  def is_product(self) -> bool:
    return True
