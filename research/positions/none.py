"""No positions: attention then sees a set (Haviv 2022, Kazemnejad 2023).

Formula: x, q and k unchanged. Cost: none.
"""

from research.positions.base import InputPosition, ScorePosition
from research.shapes import Activations, Positions


class NoPosition(InputPosition, ScorePosition):
  """Tells nothing, at the input and at the scores alike."""

  def __call__(self, x: Activations, positions: Positions) -> Activations:
    return x
