import math

import pytest

from research.plots.readable import (
  count,
  estimate,
  fixed,
  interval,
  rate,
  seconds,
  short,
  tiny,
)

NAN = math.nan


@pytest.mark.parametrize(
  ("value", "text"),
  [
    (0, "0"),
    (0.25, "0.2"),
    (9.94, "9.9"),
    (9.96, "10"),
    (999, "999"),
    (999.6, "1k"),
    (1200, "1.2k"),
    (34_400, "34k"),
    (3_400_000, "3.4M"),
    (1.1e9, "1.1G"),
    (2e12, "2T"),
    (7.25e15, "7.2P"),
    (-1500, "-1.5k"),
    (NAN, "–"),
    (math.inf, "–"),
  ],
)
def test_short(value, text):
  assert short(value) == text


def test_scores_have_three_decimals_and_a_true_minus():
  assert fixed(0.98765) == "0.988"
  assert fixed(-0.25, 2) == "−0.25"
  assert fixed(-0.0001) == "0.000"
  assert fixed(NAN) == "–"
  assert (fixed(999.5), fixed(-123456)) == ("999.500", "−123k")
  assert interval(-0.1, 0.25, 2) == "[−0.10, 0.25]"
  assert interval(0.1, NAN, 2) == "[0.10, –]"
  assert interval(NAN, NAN) == "–"


def test_tiny_numbers_keep_their_size():
  assert (tiny(0.0), tiny(0.0005), tiny(NAN)) == ("0.000", "0.001", "–")
  assert (tiny(0.000499), tiny(-3.14e-7)) == ("5.0e−04", "−3.1e−07")
  assert estimate(1e-6, -0.25, 0.5) == "1.0e−06 [−0.250, 0.500]"
  assert estimate(0.1, NAN, NAN) == "0.100 –"


def test_counts_have_their_plural():
  assert count(1, "seed") == "1 seed"
  assert (count(0, "seed"), count(2, "seed")) == ("0 seeds", "2 seeds")


@pytest.mark.parametrize(
  ("value", "text"),
  [(0.003, "3e-3"), (0.001, "1e-3"), (0.0015, "1.5e-3"), (0.5, "0.5")]
  + [(0.1, "0.1"), (3e-05, "3e-5"), (0, "0"), (NAN, "–")],
)
def test_rates(value, text):
  assert rate(value) == text


@pytest.mark.parametrize(
  ("value", "text"),
  [(0.42, "0.4 s"), (12, "12 s"), (99, "99 s"), (210, "3.5 min")]
  + [(483.2, "8.1 min"), (7560, "2.1 h"), (NAN, "–")],
)
def test_seconds(value, text):
  assert seconds(value) == text
