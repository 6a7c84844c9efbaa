"""The table of position encodings: one line an encoding."""

import dataclasses
from collections.abc import Callable, Mapping

from research.positions.base import InputPosition, ScorePosition
from research.positions.learned import LearnedPosition
from research.positions.none import NoPosition
from research.positions.rotary import Rotary
from research.positions.sinusoidal import Sinusoidal


@dataclasses.dataclass(frozen=True)
class PositionCase:
  """One encoding and what its page says about it.

  Attributes:
    encoding: the module, unbound.
    parameters: the documented number of parameters at a width.
    even: whether it refuses odd widths.
    axes: the numbers of position axes that it reads.
    exceptions: laws that do not hold, by name of the law, with the reason.
  """

  encoding: InputPosition | ScorePosition
  parameters: Callable[[int], int] = lambda width: 0
  even: bool = False
  axes: tuple[int, ...] = (1,)
  exceptions: Mapping[str, str] = dataclasses.field(default_factory=dict)


CASES = {
  "none": PositionCase(
    NoPosition(),
    axes=(1, 2),
    exceptions={
      "tells_positions_in_scores": "it tells nothing",
      "tells_positions_at_the_input": "it tells nothing",
    },
  ),
  "sinusoidal": PositionCase(Sinusoidal(), even=True),
  "learned": PositionCase(LearnedPosition(length=64), lambda d: 64 * d),
  "rotary": PositionCase(Rotary(), even=True),
}
