import numpy as np
import pytest
from scipy import stats

from research.statistics.intervals import (
  Interval,
  mean_interval,
  mean_intervals,
  share_interval,
)


def ends(interval):
  return [interval.low, interval.high]


def width(interval):
  return interval.high - interval.low


def test_student_interval_by_hand():
  """Mean 2, s = 1, t[2] = 4.302653: half-width 4.302653 / √3 = 2.484138."""
  interval = mean_interval([1.0, 2.0, 3.0])
  assert interval.mean == 2.0
  assert ends(interval) == pytest.approx([-0.484138, 4.484138], abs=1e-6)


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("count", [2, 3, 10])
def test_student_interval_agrees_with_scipy(count, confidence):
  values = np.random.default_rng(count).normal(3, 2, count)
  expected = stats.t.interval(
    confidence, count - 1, values.mean(), stats.sem(values)
  )
  interval = mean_interval(values, confidence=confidence)
  assert ends(interval) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("confidence", [0.8, 0.95])
@pytest.mark.parametrize(
  ("successes", "total"), [(0, 5), (1, 5), (3, 10), (5, 5), (4000, 4096)]
)
def test_share_interval_agrees_with_scipy(successes, total, confidence):
  expected = stats.binomtest(successes, total).proportion_ci(
    confidence, method="wilson"
  )
  interval = share_interval(successes, total, confidence)
  assert interval.mean == successes / total
  assert ends(interval) == pytest.approx(
    [expected.low, expected.high], abs=1e-12
  )


def test_share_interval_by_hand():
  """5 of 5: from 1 / (1 + z²/5) with z = 1.959964, to exactly 1."""
  interval = share_interval(5, 5)
  assert interval.low == pytest.approx(0.565518, abs=1e-6)
  assert interval.high == 1.0
  assert share_interval(0, 5).low == 0.0


def test_equal_shares_have_the_interval_of_their_test_examples():
  """Three seeds of 0.75 on 100 examples: Wilson's interval of 225 in 300."""
  interval = mean_interval([0.75, 0.75, 0.75], examples=100)
  assert interval == share_interval(225, 300)


def test_test_examples_widen_but_never_narrow():
  values = [0.70, 0.75, 0.80]
  student = mean_interval(values)
  for examples in (4, 64, 10_000):
    pooled = share_interval(int(0.75 * 3 * examples), 3 * examples)
    interval = mean_interval(values, examples=examples)
    assert interval.low == pytest.approx(min(student.low, pooled.low))
    assert interval.high == pytest.approx(max(student.high, pooled.high))


def test_a_shared_test_set_counts_once():
  shared = mean_interval([0.75, 0.75, 0.75], examples=100 / 3)
  assert ends(shared) == pytest.approx(ends(share_interval(75, 100)))


def test_only_shares_are_clipped():
  values = [0.0, 0.5, 1.0]
  assert ends(mean_interval(values, examples=1000)) == [0.0, 1.0]
  unbounded = mean_interval(values)
  assert unbounded.low < 0.0
  assert unbounded.high > 1.0


def test_one_value_has_the_binomial_interval_or_none():
  assert mean_interval([0.5], examples=64) == share_interval(32, 64)
  alone = mean_interval([0.5])
  assert alone.mean == 0.5
  assert np.isnan(ends(alone)).all()


def test_equal_values_have_no_width():
  interval = mean_interval([0.1, 0.1, 0.1])
  assert width(interval) == 0.0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_leaves_no_interval(bad):
  interval = mean_interval([0.5, bad, 0.6])
  assert np.isnan([interval.mean, *ends(interval)]).all()


def test_a_missing_share_leaves_no_interval():
  interval = mean_interval([0.5, np.nan], examples=64)
  assert np.isnan([interval.mean, *ends(interval)]).all()


def test_width_falls_with_examples_and_grows_with_confidence():
  by_examples = [
    width(mean_interval([0.8, 0.8], examples=count))
    for count in (1, 8, 64, 512)
  ]
  assert by_examples == sorted(by_examples, reverse=True)
  by_confidence = [
    width(mean_interval([0.1, 0.4, 0.3], confidence=level))
    for level in (0.5, 0.8, 0.95, 0.99)
  ]
  assert by_confidence == sorted(by_confidence)
  assert len({*by_examples, *by_confidence}) == 8


@pytest.mark.parametrize("examples", [None, 20])
def test_columns_are_intervals_of_their_own(examples):
  table = np.random.default_rng(0).random((4, 3))
  columns = zip(*mean_intervals(table, examples), strict=True)
  for column, values in zip(columns, table.T, strict=True):
    interval = mean_interval(values, examples)
    assert [interval.mean, *ends(interval)] == pytest.approx(column)


@pytest.mark.parametrize(
  ("call", "message"),
  [
    (lambda: mean_interval([]), r"values has shape \(0,\); allowed"),
    (lambda: mean_interval([[0.1]]), r"values has shape \(1, 1\); allowed"),
    (lambda: mean_interval([0.5, 1.5], 10), r"values = 1\.5 .* allowed: 0 to"),
    (lambda: mean_interval([-0.5], 10), r"values = -0\.5 .* allowed: 0 to 1"),
    (lambda: mean_interval([0.5], 0), "examples = 0; allowed: a number above"),
    (
      lambda: mean_interval([0.5], confidence=1.0),
      r"confidence = 1\.0; allowed",
    ),
    (lambda: share_interval(1, 2, 0.0), r"confidence = 0\.0; allowed"),
    (lambda: share_interval(0, 0), "total = 0; allowed: 1 or more"),
    (lambda: share_interval(3, 2), "successes = 3; allowed: 0 to total 2"),
    (lambda: share_interval(-1, 2), "successes = -1; allowed: 0 to total 2"),
  ],
)
def test_bad_input_is_refused(call, message):
  with pytest.raises(ValueError, match=message):
    call()


def test_an_interval_is_frozen():
  with pytest.raises(AttributeError):
    Interval(0.5, 0.4, 0.6).low = 0.0  # type: ignore[misc]
