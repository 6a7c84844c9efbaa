"""Where curves of times cross, and the words for it."""

import math

import numpy as np
import pytest

from research.lengths.crossings import crossings
from research.report import length_generation

MANY = (64, 256, 1024, 4096)


def curve(*means, spread=0.01):
  noise = 1 + spread * np.array([-1.0, 0.5, 1.0, -0.5, 0.2])
  return tuple(
    tuple(mean * noise[:: (-1) ** i]) for i, mean in enumerate(means)
  )


def test_curves_cross_where_their_powers_do():
  line = curve(*(10.0 * n for n in MANY))
  square = curve(*(n**2 / 30 for n in MANY))
  signs, (place,) = crossings(MANY, square, line)
  assert signs == [-1, -1, 1, 1] and place == pytest.approx(300)
  signs, (place,) = crossings(MANY, line, square)
  assert signs == [1, 1, -1, -1] and place == pytest.approx(300)


def test_what_noise_turns_round_is_no_crossing():
  left, right = curve(1, 1, 1, 1, spread=0.2), curve(2, 1.01, 0.99, 2)
  assert crossings(MANY, left, right) == ([-1, 0, 0, -1], [])
  assert crossings(MANY, left, left) == ([0, 0, 0, 0], [])
  lost = (math.nan,) * 5
  assert crossings(MANY, left, (*right[:3], lost)) == ([-1, 0, 0, 0], [])
  # Between two lengths that are told apart the means may touch.
  up = curve(1, 1, 2, 2), curve(2, 1, 1, 1)
  assert crossings(MANY, *up) == ([-1, 0, 1, 1], [pytest.approx(256)])
  # A length that was not run lies between them, too.
  up = (*up[0][:2], lost, up[0][3]), (curve(4)[0], *up[1][1:])
  assert crossings(MANY, *up) == ([-1, 0, 0, 1], [pytest.approx(256)])


@pytest.mark.parametrize(
  ("left", "right", "told"),
  [
    ((1, 1, 1), (2, 2, 2), "everywhere"),
    ((1, 2, 2), (2, 2, 2), "where told apart"),
    ((2, 2, 2), (1, 1, 2), "nowhere"),
    ((4, 4, 4), (1, 4, 16), "from 1,000"),
    ((1, 4, 16), (4, 4, 4), "up to 1,000"),
    ((4, 1, 4), (2, 2, 2), "320 to 3,200"),
    ((1, 4, 1), (2, 2, 2), "up to 320, from 3,200"),
    ((1, 1, 1), (1, 1, 1), "not told apart"),
  ],
)
def test_where_a_curve_is_the_lower_is_said(left, right, told):
  rounds = (1.0, 1.01, 0.99, 1.0, 1.005)
  curves = [
    tuple(tuple(mean * one for one in rounds) for mean in curve)
    for curve in (left, right)
  ]
  if told == "not told apart":
    curves[1] = tuple(values[::-1] for values in curves[1])
  assert length_generation.where((100, 1000, 10000), *curves) == told
