"""What the tables of `mixerlab bench` have in common."""

import statistics
from collections.abc import Mapping, Sequence

Rounds = Mapping[tuple[str, str], Sequence[float]]
"""Calls a second of every contender, by its name and what it is timed at (a
length, a batch, a number of layers), round by round."""

Data = dict[str, dict[str, list[float]]]
"""The same as plain JSON data: by name, then by what it is timed at."""


def plain(found: Mapping[tuple[str, str], Sequence[float]]) -> Data:
  """Rounds as they are written to a file."""
  data: Data = {}
  for (name, of), values in found.items():
    data.setdefault(name, {})[of] = [*values]
  return data


def ratio(own: Sequence[float], other: Sequence[float]) -> float:
  """The median of the ratios within a round.

  What slows a whole round slows both, and is no part of it.
  """
  return statistics.median(a / b for a, b in zip(own, other, strict=True))
