"""The power of the length with which something grows."""

import math
from collections.abc import Sequence

import numpy as np

LONG = 1024
"""Exponents are those from here on, where there are three such lengths."""


def fitted(lengths: Sequence[int]) -> list[int]:
  """The lengths that an exponent is fitted over: the long ones, if three."""
  long = [length for length in lengths if length >= LONG]
  return long if len(long) >= 3 else [*lengths]


def exponent(lengths: Sequence[int], values: Sequence[int | float]) -> float:
  """The slope of log value on log length, by least squares.

  Over those of the `fitted` lengths that have a value; NaN where these are
  fewer than two.
  """
  used = {*fitted(lengths)}
  known = [
    (math.log(length), math.log(value))
    for length, value in zip(lengths, values, strict=True)
    if length in used and math.isfinite(value) and value > 0
  ]
  if len(known) < 2:
    return math.nan
  x, y = np.transpose(known)
  x = x - x.mean()
  return float(x @ y / (x @ x))
