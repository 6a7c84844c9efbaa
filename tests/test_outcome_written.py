"""Of what was written: errors, right lines, and how sure they are."""

import dataclasses
import math

import numpy as np
import pytest

from research.experiment import Measure
from research.outcome import outcome
from research.statistics.comparison import paired_difference
from research.statistics.intervals import mean_interval
from tests.test_outcome import (
  BOTH,
  COSTS,
  SWEEP,
  WORSE,
  experiment,
  rows,
  verdict,
)


def counted(edits, sizes, size):
  """What six members wrote to three examples each."""
  arrays = {"edits": edits, "sizes": sizes, "size": size}
  rows = {name: np.array(x)[None, :, None] for name, x in arrays.items()}
  return {name: np.repeat(x, 6, axis=0) for name, x in rows.items()}


def test_errors_are_counted_over_all_tokens_that_should_be_written():
  """2 of 2, 0 of 4 and 1 of 6 tokens: 3 of 12, and one line of 3 is right."""
  found = counted([2, 0, 1], [2, 4, 6], [2, 9, 9])
  sweep = dataclasses.replace(SWEEP, written={"test": found})
  summary = rows(sweep)
  wanted = {
    ("error_rate", "all"): 3 / 12,
    ("error_rate", "size=2"): 1.0,
    ("error_rate", "size=9"): 1 / 10,
    ("sequence_accuracy", "all"): 1 / 3,
    ("sequence_accuracy", "size=2"): 0.0,
    ("sequence_accuracy", "size=9"): 1 / 2,
  }
  for (metric, part), value in wanted.items():
    row = summary.find("left", slice=part, metric=metric)
    assert row.values == pytest.approx([value] * 3), (metric, part)
  # Seeds that agree are as sure of a share as examples are.
  for metric, mean in (("sequence_accuracy", 1 / 3), ("error_rate", 1 / 4)):
    share, least = (
      summary.find("left", metric=metric),
      mean_interval([mean] * 3, 3),
    )
    assert (share.low, share.high) == pytest.approx((least.low, least.high))
  (solved,) = (row for row in summary.rows if row.metric == "solved")
  assert solved.slice == "all"


def test_more_errors_than_tokens_are_no_share():
  """Then the seeds alone tell how sure their mean is; it is not below 0."""
  found = counted([9, 0, 0], [2, 1, 1], [1, 1, 1])
  found["edits"][:2] = 0  # the first seed
  row = rows(dataclasses.replace(SWEEP, written={"test": found})).find(
    "left", metric="error_rate"
  )
  expected = mean_interval([*row.values])
  assert max(row.values) > 1
  assert expected.low < 0.0
  assert (row.low, row.high) == pytest.approx((0.0, expected.high))


def test_examples_that_repeat_count_once_in_what_is_written():
  """Three examples of which two are different, over three seeds."""
  one = {"score": np.ones((6, 1, 1)), "weight": np.ones((6, 1, 1))}
  found = counted([0, 0, 0], [1, 1, 1], [1, 1, 1])
  sweep = dataclasses.replace(
    SWEEP, written={"test": found}, measures={"alignment": one}
  )
  left = experiment().variant("left")
  for score in outcome(left, sweep, COSTS, {"test": 2})["scores"]:
    if score["metric"] in ("error_rate", "sequence_accuracy", "alignment"):
      assert score["examples"] == 2 / left.training.seeds, score["metric"]


def test_what_was_measured_before_training_outlives_a_diverged_seed():
  status = ["finished"] * 5 + ["diverged"]
  one = {"score": np.ones((6, 1, 1)), "weight": np.ones((6, 1, 1))}
  measures = {name: one for name in ("initial_gradient", "gradient")}
  sweep = dataclasses.replace(SWEEP, measures=measures, status=status)
  scores = outcome(experiment().variant("left"), sweep, COSTS)["scores"]
  values = {one["metric"]: one["values"] for one in scores}
  np.testing.assert_array_equal(values["initial_gradient"], [1.0] * 6)
  np.testing.assert_array_equal(values["gradient"], [1.0] * 5 + [math.nan])


def test_what_a_diverged_seed_wrote_does_not_count():
  status = ["finished"] * 5 + ["diverged"]
  found = counted([0, 0, 0], [1, 1, 1], [1, 1, 1])
  sweep = dataclasses.replace(SWEEP, written={"test": found}, status=status)
  (errors,) = (
    one
    for one in outcome(experiment().variant("left"), sweep, COSTS)["scores"]
    if (one["metric"], one["slice"]) == ("error_rate", "all")
  )
  np.testing.assert_array_equal(errors["values"], [0.0] * 5 + [math.nan])


def test_a_claim_has_the_trials_of_its_own_metric():
  """Not those of what was measured besides, on other examples."""
  one = {"score": np.ones((6, 1, 1)), "weight": np.ones((6, 1, 1))}
  measures = {name: one for name in ("initial_gradient", "gradient")}
  written = {"test": counted([0, 0], [1, 1], [1, 1])}
  left, right = (
    dataclasses.replace(sweep, measures=measures, written=written)
    for sweep in (SWEEP, WORSE)
  )
  assert verdict(BOTH, left, right) == verdict(BOTH, SWEEP, WORSE)
  sides = [
    Measure(name, metric="sequence_accuracy") for name in ("left", "right")
  ]
  found = verdict(sides, left, right)
  expected = paired_difference([1.0] * 3, [1.0] * 3, 2)
  assert (found.estimate, found.low, found.high) == pytest.approx(
    dataclasses.astuple(expected)
  )
