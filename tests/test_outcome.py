"""From hand-made measurements to rows and verdicts."""

import dataclasses
import math

import numpy as np
import pytest

from research.experiment import Change, Claim, Measure
from research.outcome import choose, outcome
from research.statistics.comparison import paired_difference
from research.statistics.intervals import mean_interval, share_interval
from research.summary import summarise
from research.training.cost import Costs
from research.training.train import Trained
from tests.tiny import EXPERIMENT
from tests.training.problem import TRAINING

SEEDS, EXAMPLES = 3, 4
COSTS = Costs(parameters=11, state_size=22, flops_per_example=33.0)
PAIRS = np.array([[1, 1], [1, 1], [2, 2], [2, 2]])
WEIGHT = np.array([[1, 0], [1, 0], [1, 1], [1, 1]], np.float32)
"""Two examples of one pair, whose second position is not scored."""


def experiment(**training):
  """Three seeds, two rates, and the variants `left` and `right`."""
  return dataclasses.replace(
    EXPERIMENT,
    training=dataclasses.replace(
      TRAINING, seeds=SEEDS, learning_rates=(0.1, 0.2), target=0.6, **training
    ),
    variants=(Change("left"), Change("right")),
    tests=(),
    claims=(),
  )


def measured(right):
  """Test results of members of which each gets `right` [m 4 2] right."""
  right = np.asarray(right, np.float32)
  stack = np.ones((len(right), 1, 1))
  return {
    "loss": 1 - right,
    "score": right,
    "weight": np.float32(stack * WEIGHT),
    "pairs": np.int32(stack * PAIRS),
  }


def trained(validation, right, **changes):
  """A finished sweep of six members, seeds slowest."""
  count = len(validation)
  fields = {
    "status": ["finished"] * count,
    "steps": np.full(count, 20),
    "validation": np.array(validation, np.float32),
    "tests": {"test": measured(right)},
    "parameters": {},
    "compile_seconds": 1.5,
    "train_seconds": 2.0,
    "temporary_bytes": 44,
    "examples": 100,
  }
  return Trained(**{**fields, **changes})


NONE, ALL = np.zeros((4, 2)), np.ones((4, 2))
ONE_PAIR = np.array([[1, 9], [1, 9], [0, 0], [0, 0]])
"""Right with one pair alone; what is not scored has no meaning."""
HALF = np.array([[1, 0], [1, 0], [1, 0], [0, 0]])


def rows(sweep, **training):
  made = experiment(**training)
  one = outcome(made.variant("left"), sweep, COSTS)
  return summarise(
    dataclasses.replace(made, variants=made.variants[:1]), {"left": one}
  )


SWEEP = trained(
  # The first rate is better on validation, the second on test.
  [0.9, 0.5, 0.8, 0.5, 0.7, 0.5],
  [ONE_PAIR, ALL, HALF, ALL, ALL, ALL],
)


def test_a_row_has_one_value_for_each_seed_at_the_chosen_rate():
  row = rows(SWEEP).find("left")
  assert row.learning_rate == 0.1
  assert row.values == pytest.approx((2 / 6, 3 / 6, 1.0))
  interval = mean_interval([*row.values], EXAMPLES)
  assert (row.mean, row.low, row.high) == dataclasses.astuple(interval)
  assert (row.parameters, row.state_size, row.flops_per_example) == (11, 22, 33)
  assert (row.temporary_bytes, row.compile_seconds) == (44, 1.5)
  assert (row.train_seconds, row.examples_per_second) == (2.0, 50.0)
  assert row.steps == 20


def test_slices_are_of_what_is_scored():
  summary = rows(SWEEP)
  accuracy = [r.slice for r in summary.rows if r.metric == "accuracy"]
  assert accuracy == ["all", "pairs=1", "pairs=2"]
  one, two = (summary.find("left", slice=name) for name in accuracy[1:])
  assert one.values == pytest.approx((1.0, 1.0, 1.0))
  assert two.values == pytest.approx((0.0, 0.25, 1.0))
  # Two examples stand behind a slice: fewer than positions, and than all.
  assert (two.low, two.high) == dataclasses.astuple(
    mean_interval([*two.values], 2)
  )[1:]


def test_unscored_positions_make_no_slice():
  sweep = trained([0.5] * 6, [ALL] * 6)
  sweep.tests["test"]["pairs"][:, :2, 1] = 7
  found = {row.slice for row in rows(sweep).rows}
  assert found == {"all", "pairs=1", "pairs=2"}


def test_loss_and_the_share_of_solved_seeds_have_rows():
  summary = rows(SWEEP)
  loss = summary.find("left", metric="loss")
  assert loss.values == pytest.approx((4 / 6, 3 / 6, 0.0))
  solved = summary.find("left", metric="solved")
  assert solved.values == (0.0, 0.0, 1.0), "the target is 0.6"
  assert (solved.mean, solved.low, solved.high) == dataclasses.astuple(
    share_interval(1, 3)
  )


def chosen(sweep, **training):
  variant = experiment(**training).variant("left")
  scores = outcome(variant, sweep, COSTS)["scores"]
  return choose(variant, sweep, scores)


def test_the_rate_is_chosen_on_validation_and_never_on_test():
  assert chosen(SWEEP) == 0
  worse = dataclasses.replace(SWEEP, tests={"test": measured([NONE, ALL] * 3)})
  assert chosen(worse) == 0
  better = dataclasses.replace(SWEEP, validation=1 - SWEEP.validation)
  assert chosen(better) == 1


def test_a_published_protocol_may_choose_on_test():
  assert chosen(SWEEP, selection="test") == 1
  assert rows(SWEEP, selection="test").find("left").learning_rate == 0.2


def test_the_mean_over_seeds_decides_not_the_best_seed():
  assert chosen(trained([1.0, 0.5, 0.0, 0.5, 0.0, 0.5], [ALL] * 6)) == 1


def test_ties_go_to_fewer_steps_then_to_the_smaller_rate():
  tie = trained([0.5] * 6, [ALL] * 6)
  assert chosen(tie) == 0
  assert chosen(dataclasses.replace(tie, steps=np.array([9, 8] * 3))) == 1


def test_a_rate_at_which_a_seed_diverged_comes_last():
  sweep = trained(
    [0.9, 0.1, np.nan, 0.1, 0.9, 0.1],
    [ALL] * 6,
    status=["finished", "finished", "diverged", *["finished"] * 3],
  )
  assert chosen(sweep) == 1


def test_a_diverged_seed_has_no_value_and_no_interval_hides_it():
  sweep = trained(
    [np.nan, np.nan, 0.5, np.nan, 0.5, 0.5],
    [ALL] * 6,
    status=["diverged", "diverged", "finished", "diverged", *["finished"] * 2],
  )
  row = rows(sweep).find("left")
  assert math.isnan(row.values[0]) and row.values[1:] == (1.0, 1.0)
  assert math.isnan(row.mean) and math.isnan(row.low)
  # It did not solve the task, which is known.
  assert rows(sweep).find("left", metric="solved").values == (0.0, 1.0, 1.0)


def test_a_slice_that_a_seed_has_no_example_of_has_no_value():
  sweep = trained([0.5] * 6, [ALL] * 6)
  sweep.tests["test"]["pairs"][:2] = 2
  row = rows(sweep).find("left", slice="pairs=1")
  assert math.isnan(row.values[0]) and row.values[1:] == (1.0, 1.0)
  assert math.isnan(row.mean)


def verdict(claim, left, right, effect=0.0):
  """The verdict on hand-made outcomes of two variants."""
  made = dataclasses.replace(
    experiment(), claims=(Claim("c", "t", *claim, effect),)
  )
  outcomes = {
    name: outcome(made.variant(name), sweep, COSTS)
    for name, sweep in (("left", left), ("right", right))
  }
  return summarise(made, outcomes).verdicts[0]


WORSE = trained([0.9, 0.1] * 3, [HALF, NONE] * 3)
BOTH = (Measure("left"), Measure("right"))


def test_a_claim_compares_the_same_seeds_of_two_rows():
  found = verdict(BOTH, SWEEP, WORSE, effect=0.2)
  left, right = [2 / 6, 3 / 6, 1.0], [0.5, 0.5, 0.5]
  expected = paired_difference(left, right, EXAMPLES)
  assert (found.estimate, found.low, found.high) == pytest.approx(
    dataclasses.astuple(expected)
  )
  assert (found.claim, found.text, found.smallest_effect) == ("c", "t", 0.2)
  assert (found.verdict, found.seeds) == ("undecided", 3)


def test_a_claim_may_name_a_number_on_either_side():
  interval = mean_interval([2 / 6, 3 / 6, 1.0], EXAMPLES)
  mean, low, high = dataclasses.astuple(interval)
  chance = EXPERIMENT.task.chance
  above = verdict((Measure("left"), "chance"), SWEEP, WORSE)
  assert (above.estimate, above.low, above.high) == pytest.approx(
    (mean - chance, low - chance, high - chance)
  )
  below = verdict(("one", Measure("left")), SWEEP, WORSE)
  assert (below.estimate, below.low, below.high) == pytest.approx(
    (1 - mean, 1 - high, 1 - low)
  )
  assert below.seeds == 3


def test_a_share_of_solved_seeds_is_as_sure_as_its_trials():
  # All seeds of one and no seed of the other: no spread, but three trials.
  every, none = trained([0.5] * 6, [ALL] * 6), trained([0.5] * 6, [NONE] * 6)
  sides = (Measure("left", metric="solved"), Measure("right", metric="solved"))
  found = verdict(sides, every, none)
  assert found.estimate == 1.0
  assert found.low == pytest.approx(paired_difference([1] * 3, [0] * 3, 1).low)
  assert found.low < 0.5


def test_a_claim_about_a_row_that_does_not_exist_is_undecided():
  missing = (Measure("left", slice="pairs=9"), Measure("right"))
  found = verdict(missing, SWEEP, WORSE)
  assert found.verdict == "undecided" and math.isnan(found.estimate)


def test_a_single_seed_does_not_count_as_many():
  made = experiment()
  one_seed = Change("right", (("training.seeds", 1),))
  made = dataclasses.replace(
    made,
    variants=(made.variants[0], one_seed),
    claims=(Claim("c", "t", *BOTH, 0.0),),
  )
  single = trained([0.5, 0.5], [HALF, HALF])
  outcomes = {
    "left": outcome(made.variant("left"), SWEEP, COSTS),
    "right": outcome(made.variant("right"), single, COSTS),
  }
  assert summarise(made, outcomes).verdicts[0].seeds == 1


def test_counts_are_compared_exactly_and_need_no_seeds():
  sides = [Measure(name, metric="parameters") for name in ("left", "right")]
  found = verdict(sides, SWEEP, WORSE)
  assert (found.verdict, found.unit) == ("holds", "count")
  assert (found.estimate, found.low, found.high) == (0.0, 0.0, 0.0)
  assert verdict(sides, SWEEP, WORSE, effect=1.0).verdict == "refuted"


def test_a_relative_claim_is_about_a_share_of_the_right_side():
  claim = Claim("c", "t", *BOTH, 0.1, relative=True)
  made = dataclasses.replace(experiment(), claims=(claim,))
  outcomes = {
    name: outcome(made.variant(name), sweep, COSTS)
    for name, sweep in (("left", SWEEP), ("right", WORSE))
  }
  found = summarise(made, outcomes).verdicts[0]
  left = np.array([2 / 6, 3 / 6, 1.0])
  expected = paired_difference(left / 0.5, np.ones(3))
  assert (found.estimate, found.low, found.high) == pytest.approx(
    dataclasses.astuple(expected)
  )


def test_examples_that_repeat_count_once():
  made = experiment()
  alone = dataclasses.replace(made, variants=made.variants[:1])
  half = trained([0.5] * 6, [HALF] * 6)  # its interval is the examples' alone
  for many, each in ((3, 1.0), (3000, EXAMPLES)):
    kept = outcome(made.variant("left"), half, COSTS, {"test": many})
    row = summarise(alone, {"left": kept}).rows[0]
    wanted = mean_interval([0.5] * 3, each)
    assert (row.low, row.high) == pytest.approx((wanted.low, wanted.high))
