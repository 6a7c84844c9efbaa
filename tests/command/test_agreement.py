import dataclasses
import math

import pytest

from research.command.agreement import (
  MACHINE,
  Difference,
  compare,
  other_machine,
  untested,
)
from tests.command.tiny import row, summary, verdict

COSTS = {
  "temporary_bytes": 1,
  "compile_seconds": 9.0,
  "train_seconds": 9.0,
  "examples_per_second": 9.0,
}


def rows(*means, spread=0.01):
  """A row of five seeds around each mean."""
  return [
    row(f"v{i}", *(mean + spread * k for k in (-2, -1, 0, 1, 2)))
    for i, mean in enumerate(means)
  ]


def test_equal_runs_agree_whatever_they_cost():
  old = summary(row("a", 0.5, float("nan")), verdicts=(verdict(),))
  new = summary(row("a", 0.5, float("nan"), **COSTS), verdicts=(verdict(),))
  assert compare(old, new, same_machine=True) == []
  assert compare(old, new, same_machine=False) == []


def test_times_are_not_compared():
  old = summary(row("a"), row("a", 1.0, 2.0, metric="step_milliseconds"))
  new = summary(row("a"), row("a", 9.0, 9.0, metric="step_milliseconds"))
  assert compare(old, new, same_machine=True) == []
  assert compare(old, new, same_machine=False) == []


@pytest.mark.parametrize(
  ("change", "text"),
  [
    ({"values": (0.5, 0.6 + 1e-9)}, "values (0.5, 0.6) is now (0.5, 0.600000"),
    ({"learning_rate": 0.02}, "learning_rate 0.01 is now 0.02"),
    ({"steps": 5}, "steps 4 is now 5"),
    ({"parameters": 101}, "parameters 100 is now 101"),
    ({"state_size": 17}, "state_size 16 is now 17"),
    ({"flops_per_example": 2e3}, "flops_per_example 1000 is now 2000"),
  ],
)
def test_on_the_same_machine_values_are_equal(change, text):
  old, new = summary(row("a")), summary(row("a", **change))
  (difference,) = compare(old, new, same_machine=True)
  assert difference.kind == "value"
  assert difference.where == "a test all accuracy"
  assert difference.text.startswith(text)
  assert compare(old, new, same_machine=False) == []


def test_elsewhere_chance_is_no_difference():
  old, new = summary(*rows(0.5, 0.8)), summary(*rows(0.51, 0.79))
  assert compare(old, new, same_machine=False) == []


def test_elsewhere_what_chance_does_not_explain_is_a_difference():
  old, new = summary(*rows(0.5, 0.8)), summary(*rows(0.5, 0.6))
  (difference,) = compare(old, new, same_machine=False)
  assert difference.kind == "value"
  assert difference.where == "v1 test all accuracy"
  assert difference.text.startswith("mean 0.8 is now 0.6 (adjusted p = ")


def test_the_level_is_that_of_all_rows_together():
  # One row alone is significant at 1 %, among thirty it is chance.
  old, new = rows(0.5, spread=0.02), rows(0.57, spread=0.02)
  alone = compare(summary(*old), summary(*new), same_machine=False)
  assert len(alone) == 1
  rest = rows(*[0.5] * 30)[1:]
  together = compare(
    summary(*old, *rest), summary(*new, *rest), same_machine=False
  )
  assert together == []


def test_a_row_that_is_missing_is_a_difference():
  old, new = summary(row("a"), row("b")), summary(row("a"), row("c"))
  for same in (True, False):
    assert compare(old, new, same_machine=same) == [
      Difference("row", "b test all accuracy", "is missing in the new run"),
      Difference("row", "c test all accuracy", "is missing in the reference"),
    ]


@pytest.mark.parametrize(
  ("old", "new", "flipped"),
  [
    ("holds", "refuted", True),
    ("refuted", "holds", True),
    ("holds", "holds", False),
    ("holds", "undecided", False),
    ("undecided", "refuted", False),
  ],
)
def test_a_verdict_flips_only_between_holds_and_refuted(old, new, flipped):
  differences = compare(
    summary(verdicts=(verdict(old),)),
    summary(verdicts=(verdict(new),)),
    same_machine=False,
  )
  expected = Difference("verdict", "rotary_helps", f"{old} is now {new}")
  assert differences == ([expected] if flipped else [])


@pytest.mark.parametrize("unit", ["count", "round"])
def test_verdicts_on_costs_are_not_compared(unit):
  old, new = (
    summary(verdicts=(dataclasses.replace(verdict(word), unit=unit),))
    for word in ("holds", "refuted")
  )
  assert compare(old, new, same_machine=True) == []
  assert compare(old, new, same_machine=False) == []


def test_rows_that_cannot_be_tested_are_named():
  old = summary(row("a", 0.5, math.nan), row("b", 0.5, 0.6), row("c", 0.5))
  new = summary(row("a", 0.5, 0.6), row("b", 0.5, 0.7), row("c", 0.9))
  assert untested(old, new) == ["a test all accuracy", "c test all accuracy"]
  assert compare(old, new, same_machine=False) == []


def test_times_need_no_test():
  lost = summary(row("a", math.nan, metric="step_milliseconds"))
  assert untested(lost, lost) == []


def test_the_machine_is_hardware_versions_and_devices():
  old = {name: f"{name}-1" for name in MACHINE}
  assert other_machine(old, {**old, "commit": "x", "seconds": 3}) == []
  new = {**old, "jax": "jax-2"}
  del new["device"]
  assert other_machine(old, new) == [
    "jax jax-1 is now jax-2",
    "device device-1 is now None",
  ]
  # Runs from before it was written down had none.
  assert other_machine({}, {"xla_flags": ""}) == []
  assert other_machine({}, {"xla_flags": "--a"}) == [
    "xla_flags None is now --a"
  ]
  assert other_machine({}, {"mixed": []}) == []
  assert other_machine({}, {"mixed": ["jax"]}) == ["mixed None is now ['jax']"]
