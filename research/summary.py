"""From the outcomes of all variants to rows and verdicts."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from research.experiment import (
  COSTS,
  SHARES,
  TIMED,
  Claim,
  Experiment,
  Measure,
)
from research.outcome import Outcome
from research.results import Row, Summary, VerdictRow
from research.statistics.comparison import paired_difference
from research.statistics.intervals import (
  Interval,
  mean_interval,
  share_interval,
)
from research.statistics.verdict import Verdict, decide

_COSTS = (*COSTS, "compile_seconds", "train_seconds", "examples_per_second")


def summarise(
  experiment: Experiment, outcomes: Mapping[str, Outcome]
) -> Summary:
  """The rows of all variants, and the verdicts on all claims.

  An outcome of an experiment that is timed also has its times under `TIMED`.
  """
  rows = [
    row
    for change in experiment.variants
    for row in _rows(change.name, outcomes[change.name])
  ]
  examples = {
    (name, score["task"], score["slice"], score["metric"]): score["examples"]
    for name, one in outcomes.items()
    for score in one["scores"]
  }
  return judge(experiment, rows, examples)


def judge(
  experiment: Experiment,
  rows: Sequence[Row],
  examples: Mapping[tuple[str, str, str, str], float] | None = None,
) -> Summary:
  """The rows, and the verdicts on all claims.

  Args:
    experiment: whose claims these are.
    rows: of all variants.
    examples: how many test examples each seed has behind a share, by
      variant, task, slice and metric.
  """
  summary = Summary(tuple(rows), ())
  verdicts = tuple(
    _verdict(experiment, claim, summary, examples or {})
    for claim in experiment.claims
  )
  return Summary(summary.rows, verdicts)


def _rows(name: str, one: Outcome) -> list[Row]:
  rows = []
  for score in one["scores"]:
    values = _of_chosen(one, score["values"])
    examples = _behind(score["metric"], values, score["examples"])
    interval = mean_interval(values, examples)
    if score["metric"] in SHARES:  # of errors there may be more than tokens
      low = max(interval.low, 0.0)
      interval = dataclasses.replace(interval, low=low)
    rows.append(_row(name, one, score, score["metric"], values, interval))
    solves = score["metric"] == "accuracy"
    if solves and score["slice"] == "all" and one["target"] <= 1:
      solved = [float(value >= one["target"]) for value in values]
      interval = share_interval(int(sum(solved)), len(solved))
      rows.append(_row(name, one, score, "solved", solved, interval))
  if TIMED in one:
    times, interval = one[TIMED], mean_interval(one[TIMED])
    rows.append(_row(name, one, one["scores"][0], TIMED, times, interval))
  return rows


def _behind(
  metric: str, values: Sequence[float], examples: float | None
) -> float | None:
  """The examples behind each seed's share; None if it is none.

  A slice that a seed lacks has no examples. Errors are a share of tokens as
  long as there are no more of them than tokens.
  """
  if metric not in SHARES or any(value > 1 for value in values):
    return None
  return examples or None


def _of_chosen(one: Outcome, values: list[Any]) -> list[Any]:
  return values[one["chosen"] :: len(one["learning_rates"])]


def _row(
  name: str,
  one: Outcome,
  score: dict[str, Any],
  metric: str,
  values: list[float],
  interval: Interval,
) -> Row:
  return Row(
    variant=name,
    task=score["task"],
    slice=score["slice"],
    metric=metric,
    mean=float(interval.mean),
    low=float(interval.low),
    high=float(interval.high),
    values=tuple(values),
    learning_rate=one["learning_rates"][one["chosen"]],
    steps=max(_of_chosen(one, one["steps"])),
    **{name: one[name] for name in _COSTS},
  )


def _verdict(
  experiment: Experiment,
  claim: Claim,
  summary: Summary,
  examples: Mapping[tuple[str, str, str, str], float],
) -> VerdictRow:
  sides = (claim.left, claim.right)
  measured = [
    _measured(side, summary, examples)
    for side in sides
    if isinstance(side, Measure)
  ]
  seeds = min(len(values) for values, _ in measured)
  rest = iter(measured)
  left, right = (
    next(rest)[0][:seeds]
    if isinstance(side, Measure)
    else np.full(seeds, _number(experiment, claim, side))
    for side in sides
  )
  if claim.relative:
    left, right = left / right, np.ones(seeds)
  decided = _decided(claim, left, right, [count for _, count in measured])
  return VerdictRow(
    claim=claim.name,
    text=claim.text,
    smallest_effect=claim.smallest_effect,
    unit=claim.unit,
    seeds=seeds,
    **dataclasses.asdict(decided),
  )


def _decided(
  claim: Claim,
  left: np.ndarray,
  right: np.ndarray,
  counts: list[float | None],
) -> Verdict:
  """The verdict on left − right; `counts` are the trials of each measure."""
  differences = left - right
  if claim.unit == "count":  # the same number for every seed, without chance
    exact = float(differences[0])
    if math.isnan(exact):  # what it is about was not run
      return Verdict("undecided", exact, exact, exact, None)
    holds = exact >= claim.smallest_effect
    return Verdict("holds" if holds else "refuted", exact, exact, exact, None)
  if len(counts) == 1:
    interval = _against_number(left, right, counts[0], claim)
  else:
    known = [count for count in counts if count is not None]
    shares = len(known) == len(counts) and not claim.relative
    interval = paired_difference(left, right, min(known) if shares else None)
  return decide(interval, differences, claim.smallest_effect)


def _against_number(
  left: np.ndarray, right: np.ndarray, count: float | None, claim: Claim
) -> Interval:
  """Interval of left − right where one of the two is a known number."""
  if isinstance(claim.right, str):
    one = mean_interval(left, count)
    return Interval(*(end - right[0] for end in (one.mean, one.low, one.high)))
  one = mean_interval(right, count)
  return Interval(*(left[0] - end for end in (one.mean, one.high, one.low)))


def _measured(
  side: Measure,
  summary: Summary,
  examples: Mapping[tuple[str, str, str, str], float],
) -> tuple[np.ndarray, float | None]:
  """One number per seed, and the trials behind each if it is a share."""
  row = summary.find(side.variant, side.task, side.slice, side.metric)
  if row is None and side.metric in COSTS:
    any_row = next(row for row in summary.rows if row.variant == side.variant)
    cost = float(getattr(any_row, side.metric))
    return np.full(len(any_row.values), cost), None
  if row is None:
    return np.array([math.nan]), None
  if side.metric == "solved":  # a seed is one trial, which hits or misses
    return np.asarray(row.values), 1.0
  known = examples.get((side.variant, side.task, side.slice, side.metric))
  return np.asarray(row.values), _behind(side.metric, row.values, known)


def _number(experiment: Experiment, claim: Claim, side: str) -> float:
  """Zero, one, or the chance of the task that the other side measures."""
  if side != "chance":
    return {"zero": 0.0, "one": 1.0}[side]
  other = claim.left if isinstance(claim.left, Measure) else claim.right
  assert isinstance(other, Measure)
  tasks = experiment.test_tasks(experiment.variant(other.variant))
  return tasks.get(other.task, tasks["test"]).chance
