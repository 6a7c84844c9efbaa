import numpy as np
import pytest

from research.statistics.comparison import paired_difference
from research.statistics.intervals import Interval, mean_interval
from research.statistics.verdict import Verdict, decide

FIVE = [0.2, 0.3, 0.1, 0.25, 0.15]  # mean 0.2, s = 0.0790569


def verdict(values, smallest_effect):
  return decide(mean_interval(values), values, smallest_effect)


def test_five_seeds_by_hand():
  """Half-width t[4] · s / √5 = 2.776445 · 0.0790569 / √5 = 0.0981622."""
  low, high = 0.2 - 0.0981622, 0.2 + 0.0981622
  holds = verdict(FIVE, 0.1)
  assert holds.verdict == "holds"
  assert holds.estimate == pytest.approx(0.2)
  assert [holds.low, holds.high] == pytest.approx([low, high], abs=1e-6)
  assert holds.seeds_needed is None
  assert verdict(FIVE, 0.102).verdict == "undecided"
  assert verdict(FIVE, 0.298).verdict == "undecided"
  assert verdict(FIVE, 0.299).verdict == "refuted"


def test_the_ends_decide():
  at = Interval(0.5, 0.25, 0.75)
  values = [0.2, 0.8, 0.5, 0.4, 0.6]
  assert decide(at, values, 0.25).verdict == "holds"
  assert decide(at, values, 0.26).verdict == "undecided"
  assert decide(at, values, 0.75).verdict == "undecided"
  assert decide(at, values, 0.76).verdict == "refuted"


def test_rounding_of_a_difference_refutes_nothing():
  left, right = [0.9] * 5, [0.8] * 5
  difference = paired_difference(left, right)
  assert difference.high < 0.1
  assert decide(difference, np.subtract(left, right), 0.1).verdict == "holds"


def test_fewer_than_five_seeds_decide_nothing():
  for effect in (0.0, 2.0):
    decided = verdict([1.0, 1.001, 0.999, 1.0], effect)
    assert decided.verdict == "undecided"
    assert decided.seeds_needed == 5


def test_a_smallest_effect_below_zero_says_not_worse():
  values = np.subtract(FIVE, 0.2)
  assert verdict(values, -0.1).verdict == "holds"
  assert verdict(values, 0.0).verdict == "undecided"


@pytest.mark.parametrize("effect", [0.05, 0.12, 0.22, 0.29])
@pytest.mark.parametrize("seeds", [3, 5])
def test_seeds_needed_is_the_first_number_that_decides(seeds, effect):
  """A sample so large, of the same mean and spread, decides; one less not."""
  values = np.array([0.1, 0.2, 0.3, 0.15, 0.25])[:seeds]
  found = verdict(values, effect)
  needed = found.seeds_needed
  if found.verdict != "undecided":
    assert needed is None
    return
  assert needed >= max(5, seeds)
  assert verdict(resized(values, needed), effect).verdict != "undecided"
  if needed > max(5, seeds):
    assert verdict(resized(values, needed - 1), effect).verdict == "undecided"


def resized(values, count):
  """`count` values with the mean and the spread of the given ones."""
  shape = np.linspace(-1, 1, count)
  shape *= np.std(values, ddof=1) / np.std(shape, ddof=1)
  return np.mean(values) + shape


def test_seeds_needed_grows_as_the_effect_nears_the_mean():
  needed = [
    verdict(FIVE, effect).seeds_needed for effect in (0.12, 0.16, 0.18, 0.19)
  ]
  assert needed == sorted(needed)
  assert len(set(needed)) == 4


def test_no_number_of_seeds_is_named_where_none_would_decide():
  assert verdict(FIVE, 0.2).seeds_needed is None
  assert verdict(FIVE, 0.1999).seeds_needed is None


def test_an_unknown_spread_names_no_number():
  single = paired_difference([0.8], [0.6], examples=20)
  assert decide(single, [0.2], 0.1) == Verdict(
    "undecided", single.mean, single.low, single.high, None
  )
  missing = [0.1, np.nan, 0.2, 0.3, 0.2]
  found = verdict(missing, 0.1)
  assert found.verdict == "undecided"
  assert found.seeds_needed is None


def test_one_seed_that_excludes_the_effect_needs_five():
  single = paired_difference([0.9], [0.1], examples=1000)
  assert decide(single, [0.8], 0.5).seeds_needed == 5


def test_a_binomial_interval_counts_in_the_seeds_needed():
  """Equal seeds, few examples: the pooled examples must be enough."""
  left, right, examples = [0.8] * 6, [0.6] * 6, 20
  difference = paired_difference(left, right, examples)
  found = decide(difference, np.subtract(left, right), 0.1)
  assert found.verdict == "undecided"
  needed = found.seeds_needed
  expected = 6 * ((difference.mean - difference.low) / 0.1) ** 2
  assert needed == np.ceil(expected)
  for seeds, decides in ((needed, True), (needed * 2 // 3, False)):
    interval = paired_difference([0.8] * seeds, [0.6] * seeds, examples)
    assert (interval.low >= 0.1) is decides


def test_a_true_claim_at_the_edge_is_rarely_misjudged():
  """Difference equal to the effect: each wrong side in 2.5% of the runs."""
  runs = np.random.default_rng(0).normal(0.1, 0.05, (2000, 5))
  found = [verdict(run, 0.1).verdict for run in runs]
  for side in ("holds", "refuted"):
    assert 0.015 < found.count(side) / 2000 < 0.035


@pytest.mark.parametrize(
  ("values", "effect", "message"),
  [
    ([0.1], np.nan, "smallest_effect = nan; allowed: a finite number"),
    ([], 0.1, r"differences has shape \(0,\); allowed"),
  ],
)
def test_bad_input_is_refused(values, effect, message):
  with pytest.raises(ValueError, match=message):
    decide(Interval(0.1, 0.0, 0.2), values, effect)
