"""The coverage that the docstrings state is the coverage reached."""

import numpy as np
import pytest
from scipy import stats

from research.statistics.intervals import (
  mean_interval,
  mean_intervals,
  share_interval,
)

COUNTS = (3, 5, 10)
REPETITIONS = 100_000


def stated(function, row):
  """The percentages at 3, 5 and 10 runs in one row of a docstring's table."""
  for line in function.__doc__.splitlines():
    cells = [cell for cell in line.split("  ") if cell]
    if cells and cells[0] == row:
      return [int(cell) for cell in cells[1:]]
  raise LookupError(f"no row {row!r} in the docstring")


def check(measured, claimed):
  """Not below what is stated, and not so far above that it says nothing."""
  assert len(claimed) == len(COUNTS)
  for share, percent in zip(measured, claimed, strict=True):
    assert percent <= 100 * share + 1e-6 < percent + 1.6


@pytest.mark.parametrize(
  ("row", "draw", "mean"),
  [
    ("normal", lambda rng, size: rng.normal(0.7, 0.05, size), 0.7),
    (
      "skewed, beta (4, 1/2)",
      lambda rng, size: rng.beta(4, 0.5, size),
      4 / 4.5,
    ),
    (
      "skewed, log-normal",
      lambda rng, size: rng.lognormal(0, 1, size),
      np.exp(0.5),
    ),
  ],
)
def test_continuous_values_reach_the_stated_coverage(row, draw, mean):
  measured = []
  for count in COUNTS:
    values = draw(np.random.default_rng(count), (count, REPETITIONS))
    _, low, high = mean_intervals(values)
    measured.append(np.mean((low <= mean) & (mean <= high)))
  check(measured, stated(mean_interval, row))


@pytest.mark.parametrize(
  ("row", "hit"),
  [("hit or miss, even", 0.5), ("hit or miss, four in five", 0.8)],
)
def test_two_point_values_reach_the_stated_coverage(row, hit):
  measured = []
  for count in COUNTS:
    hits = np.arange(count + 1)
    values = np.where(np.arange(count)[:, None] < hits, 1.0, 0.2)
    _, low, high = mean_intervals(values)
    mean = 0.2 + 0.8 * hit
    covered = (low <= mean) & (mean <= high)
    measured.append(stats.binom.pmf(hits, count, hit) @ covered)
  check(measured, stated(mean_interval, row))


@pytest.mark.parametrize(
  ("row", "share"), [("even", 0.5), ("four in five", 0.8)]
)
def test_shares_reach_the_stated_coverage(row, share):
  measured = []
  for count in COUNTS:
    hits = np.arange(count + 1)
    intervals = [share_interval(int(each), count) for each in hits]
    covered = [each.low <= share <= each.high for each in intervals]
    measured.append(stats.binom.pmf(hits, count, share) @ covered)
  check(measured, stated(share_interval, row))


@pytest.mark.parametrize("count", COUNTS)
def test_test_examples_alone_are_covered_at_every_count(count):
  """Seeds that differ by their test examples only: Wilson's floor suffices."""
  rng = np.random.default_rng(count)
  values = rng.binomial(64, 0.9, (count, REPETITIONS)) / 64
  _, low, high = mean_intervals(values, examples=64)
  assert np.mean((low <= 0.9) & (high >= 0.9)) >= 0.95
