"""Where one curve over the lengths falls below another, by rounds of times."""

import itertools
import math
from collections.abc import Sequence

import numpy as np

from research.statistics.comparison import paired_difference

Curve = Sequence[tuple[float, ...]]
"""At each length the times of the rounds."""


def crossings(
  lengths: Sequence[int], left: Curve, right: Curve
) -> tuple[list[int], list[float]]:
  """Which of two curves is the lower at each length, and where that changes.

  Two curves are told apart at a length if the 95% interval of the mean log
  ratio, paired over the rounds, lies on one side of zero. They cross between
  two lengths at which they are told apart, with the order turned round; the
  place is where the lines through the mean logs meet, on a log axis of
  lengths.

  Returns:
    For every length −1 if the left curve is the lower, 1 if the right one is,
    0 if they are not told apart; and the lengths at which they cross.
  """
  ratios = [_ratio(*both) for both in zip(left, right, strict=True)]
  signs = [sign for _, sign in ratios]
  found = []
  for i, j in itertools.pairwise(i for i, sign in enumerate(signs) if sign):
    if signs[i] != signs[j]:
      points = [
        (math.log(lengths[k]), ratios[k][0])
        for k in range(i, j + 1)
        if math.isfinite(ratios[k][0])
      ]
      found.append(math.exp(_zero(points)))
  return signs, found


def _ratio(
  left: tuple[float, ...], right: tuple[float, ...]
) -> tuple[float, int]:
  """The mean log ratio, and its sign if that is sure, else 0."""
  one = paired_difference(np.log(left), np.log(right))
  return one.mean, int(one.low > 0) - int(one.high < 0)


def _zero(points: Sequence[tuple[float, float]]) -> float:
  """Where straight lines through the points first meet zero."""
  for (x, y), (next_x, next_y) in itertools.pairwise(points):
    if y * next_y <= 0:
      return x + (next_x - x) * y / (y - next_y)
  raise AssertionError("unreachable: the ends have different signs")
