import numpy as np
import pytest
from scipy import stats

from research.statistics.comparison import holm, paired_difference, welch
from research.statistics.intervals import mean_interval, share_interval


def test_paired_difference_by_hand():
  """Differences 1, 2, 3: mean 2, half-width t[2] / √3 = 2.484138."""
  interval = paired_difference([11.0, 4.0, 8.0], [10.0, 2.0, 5.0])
  assert interval.mean == 2.0
  assert interval.low == pytest.approx(-0.484138, abs=1e-6)
  assert interval.high == pytest.approx(4.484138, abs=1e-6)


def test_paired_difference_decides_like_the_paired_t_test():
  rng = np.random.default_rng(0)
  left, right = rng.normal(size=(2, 8))
  expected = stats.ttest_rel(left, right).confidence_interval(0.9)
  interval = paired_difference(left, right, confidence=0.9)
  assert [interval.low, interval.high] == pytest.approx(expected, rel=1e-10)


def test_what_both_sides_share_cancels():
  shared = np.random.default_rng(0).normal(0, 10, 5)
  interval = paired_difference(shared + 1, shared)
  assert interval.low == pytest.approx(1.0)
  assert interval.high == pytest.approx(1.0)


def test_equal_sides_have_the_interval_of_their_test_examples():
  interval = paired_difference([0.8] * 3, [0.6] * 3, 20, confidence=0.9)
  expected = newcombe(
    share_interval(48, 60, confidence=0.9),
    share_interval(36, 60, confidence=0.9),
  )
  assert [interval.low, interval.high] == pytest.approx(expected)


def test_the_interval_of_two_shares_is_the_published_one():
  """Newcombe (1998), table II: 56/70 - 48/80 by method 10."""
  ends = newcombe(share_interval(56, 70), share_interval(48, 80))
  assert ends == pytest.approx([0.0524, 0.3339], abs=5e-5)


def newcombe(left, right):
  """Ends of the difference from the intervals of both shares."""
  difference = left.mean - right.mean
  below = np.hypot(left.mean - left.low, right.high - right.mean)
  above = np.hypot(left.high - left.mean, right.mean - right.low)
  return [difference - below, difference + above]


def test_test_examples_widen_but_never_narrow():
  left, right = [0.9, 0.7, 0.8], [0.6, 0.5, 0.7]
  student = paired_difference(left, right)
  many = paired_difference(left, right, examples=10**6)
  assert [many.low, many.high] == [student.low, student.high]
  few = paired_difference(left, right, examples=2)
  assert few.low < student.low
  assert few.high > student.high


def test_differences_of_shares_are_clipped():
  left, right = [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]
  clipped = paired_difference(left, right, examples=100)
  assert [clipped.low, clipped.high] == [-1.0, 1.0]
  assert paired_difference(left, right).high > 1.0


def test_one_seed_has_the_binomial_interval_or_none():
  interval = paired_difference([0.8], [0.6], examples=60)
  three = paired_difference([0.8] * 3, [0.6] * 3, examples=20)
  assert interval.low == pytest.approx(three.low)
  assert interval.high == pytest.approx(three.high)
  alone = paired_difference([0.8], [0.6])
  assert alone.mean == pytest.approx(0.2)
  assert np.isnan([alone.low, alone.high]).all()


def test_a_difference_of_infinities_is_no_number():
  interval = paired_difference([np.inf, 1.0], [np.inf, 0.5])
  assert np.isnan([interval.mean, interval.low, interval.high]).all()


def test_exchanging_the_sides_mirrors_the_interval():
  left, right = [0.9, 0.7, 0.8], [0.6, 0.5, 0.7]
  there = paired_difference(left, right, examples=3)
  back = paired_difference(right, left, examples=3)
  assert back.low == pytest.approx(-there.high)
  assert back.high == pytest.approx(-there.low)


@pytest.mark.parametrize(
  ("left", "right", "examples", "message"),
  [
    ([1.0], [1.0, 0.5], None, "left has 1 seeds and right has 2; allowed"),
    ([], [], None, r"left has shape \(0,\); allowed"),
    ([0.5], [1.5], 10, r"right = 1\.5 .*allowed: 0 to 1"),
    ([-0.5], [0.5], 10, r"left = -0\.5 .*allowed: 0 to 1"),
    ([0.5], [0.5], -1, "examples = -1; allowed: a number above 0"),
  ],
)
def test_bad_sides_are_refused(left, right, examples, message):
  with pytest.raises(ValueError, match=message):
    paired_difference(left, right, examples)


@pytest.mark.parametrize(
  ("left", "right"),
  [
    ([0.1, 0.2, 0.4], [0.3, 0.5, 0.9, 0.8]),
    ([1e-200, 3e-200], [2e-200, 7e-200]),
    ([-1e200, 3e200, 2e200], [2e200, 7e200]),
  ],
)
def test_welch_agrees_with_scipy(left, right):
  unit = np.abs(right).max()
  expected = stats.ttest_ind(
    np.divide(left, unit), np.divide(right, unit), equal_var=False
  ).pvalue
  assert welch(left, right) == pytest.approx(expected, rel=1e-9)
  assert welch(right, left) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("constant", [1.0, 0.1])
def test_welch_with_one_constant_sample_is_the_one_sample_test(constant):
  values = [0.1, 0.1, 0.2, 0.5]
  expected = stats.ttest_1samp(values, constant).pvalue
  assert welch([constant] * 3, values) == pytest.approx(expected)


def test_welch_by_hand():
  """1, 3 against 5, 7: t = -4 / √2 = -√8 at 2 degrees of freedom.

  There p = 1 - |t| / √(2 + t²) = 1 - √8 / √10.
  """
  expected = 1 - np.sqrt(8) / np.sqrt(10)
  assert welch([1.0, 3.0], [5.0, 7.0]) == pytest.approx(expected)


def test_welch_of_constant_samples():
  assert welch([0.1] * 3, [0.1] * 5) == 1.0
  assert welch([0.1] * 3, [0.3] * 3) == 0.0


@pytest.mark.parametrize(
  ("left", "right"),
  [([0.5], [0.1, 0.2]), ([0.1, 0.2], [0.5]), ([0.1, np.nan], [0.1, 0.2])],
)
def test_welch_says_when_there_is_no_test(left, right):
  assert np.isnan(welch(left, right))


def test_welch_rejects_the_truth_at_its_rate():
  rng = np.random.default_rng(0)
  pairs = rng.normal(size=(2000, 2, 5))
  rate = np.mean([welch(left, right) < 0.05 for left, right in pairs])
  assert 0.03 < rate < 0.06


def test_holm_by_hand():
  """Sorted .005 .01 .03 .04, times 4 3 2 1: .02 .03 .06 .04, then maxima."""
  adjusted = holm([0.01, 0.04, 0.03, 0.005])
  assert adjusted == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_is_capped_at_one_and_keeps_ties():
  assert holm([0.6, 0.6, 0.01]) == pytest.approx([1.0, 1.0, 0.03])


def test_holm_of_one_and_of_none():
  assert holm([0.03]) == pytest.approx([0.03])
  assert holm([]).size == 0


def test_holm_does_not_count_missing_tests():
  adjusted = holm([np.nan, 0.02, np.nan, 0.01])
  assert adjusted == pytest.approx([np.nan, 0.02, np.nan, 0.02], nan_ok=True)


def test_holm_lies_between_no_correction_and_bonferroni():
  p_values = np.random.default_rng(0).random(50) ** 4
  adjusted = holm(p_values)
  assert (adjusted >= p_values).all()
  assert (adjusted <= np.minimum(50 * p_values, 1)).all()
  order = np.argsort(p_values)
  assert (np.diff(adjusted[order]) >= 0).all()


def test_holm_keeps_the_family_wise_error():
  """Forty true hypotheses: any false rejection in about 5% of families."""
  families = np.random.default_rng(0).random((2000, 40))
  rate = np.mean([holm(family).min() <= 0.05 for family in families])
  assert 0.035 < rate < 0.06


@pytest.mark.parametrize(
  ("p_values", "message"),
  [
    ([0.5, 1.5], r"p_values = 1\.5; allowed: 0 to 1"),
    ([-0.5], r"p_values = -0\.5; allowed: 0 to 1"),
    ([[0.5]], r"p_values has shape \(1, 1\); allowed"),
  ],
)
def test_bad_p_values_are_refused(p_values, message):
  with pytest.raises(ValueError, match=message):
    holm(p_values)


def test_paired_difference_is_the_mean_interval_of_differences():
  left, right = np.random.default_rng(1).random((2, 6))
  assert paired_difference(left, right) == mean_interval(left - right)
