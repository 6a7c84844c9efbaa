"""The rows of the results of mixers that are measured alone."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from research.experiment import (
  BYTES,
  BYTES_EXPONENT,
  DIFFERENCE,
  GENERATION_EXPONENT,
  GRADIENT_DIFFERENCE,
  MICROSECONDS,
  MILLISECONDS,
  STATE_BYTES,
  STREAM_DIFFERENCE,
  TIME_EXPONENT,
  Experiment,
)
from research.lengths.exponents import exponent
from research.lengths.measure import Measured, measure
from research.results import Row
from research.statistics.intervals import Interval, mean_interval
from research.training.plan import Plan

Values = tuple[float, ...]


def measured_rows(
  experiment: Experiment,
  plans: Mapping[str, Plan],
  told: Callable[[str, str], None],
) -> list[Row]:
  """Measures all variants of an experiment with lengths.

  Args:
    experiment: the record.
    plans: of its variants, by name.
    told: told what happens, with the name of a variant or "".
  """
  found = measure(
    plans,
    experiment.lengths,
    told,
    generation=experiment.generation,
    same=experiment.same,
  )
  return [row for name, one in found.items() for row in rows(name, one)]


def rows(name: str, measured: Sequence[Measured]) -> list[Row]:
  """The rows of a variant: what there is at each length, and over all.

  Exponents, one a round where times have rounds; and the largest differences.
  """
  seconds = sum(one.compile_seconds for one in measured)
  last = dataclasses.replace(measured[-1], compile_seconds=seconds)
  found = [
    _row(name, f"length={one.length}", metric, values, one)
    for one in measured
    for metric, values in _at_length(one)
  ]
  overall = _overall(measured)
  return found + [_row(name, "all", *both, last) for both in overall]


def _at_length(one: Measured) -> Iterator[tuple[str, Values]]:
  yield MILLISECONDS, one.milliseconds
  yield BYTES, (float(one.temporary_bytes),)
  if one.generated is not None:
    yield MICROSECONDS, one.generated.microseconds
    yield STATE_BYTES, (float(one.generated.state_bytes),)
    yield STREAM_DIFFERENCE, (one.generated.difference,)
  if one.difference is not None:
    yield DIFFERENCE, (one.difference.outputs,)
    yield GRADIENT_DIFFERENCE, (one.difference.gradients,)


def _overall(measured: Sequence[Measured]) -> Iterator[tuple[str, Values]]:
  lengths = [one.length for one in measured]
  yield TIME_EXPONENT, _powers(lengths, [one.milliseconds for one in measured])
  memory = [(float(one.temporary_bytes),) for one in measured]
  yield BYTES_EXPONENT, _powers(lengths, memory)
  made = [one.generated for one in measured if one.generated is not None]
  if made:
    tokens = [one.microseconds for one in made]
    yield GENERATION_EXPONENT, _powers(lengths, tokens)
    yield STREAM_DIFFERENCE, _largest([one.difference for one in made])
  apart = [one.difference for one in measured if one.difference is not None]
  if apart:
    yield DIFFERENCE, _largest([one.outputs for one in apart])
    yield GRADIENT_DIFFERENCE, _largest([one.gradients for one in apart])


def _powers(lengths: Sequence[int], values: Sequence[Values]) -> Values:
  """The exponent of every round."""
  by_round = zip(*values, strict=True)
  return tuple(exponent(lengths, one) for one in by_round)


def _largest(values: Sequence[float]) -> Values:
  """Of those that were compared."""
  return (max((x for x in values if not math.isnan(x)), default=math.nan),)


def _row(
  name: str,
  where: str,
  metric: str,
  values: Values,
  one: Measured,
) -> Row:
  exact = Interval(values[0], values[0], values[0])  # counted, not measured
  interval = exact if len(values) == 1 else mean_interval(np.asarray(values))
  return Row(
    variant=name,
    task="test",
    slice=where,
    metric=metric,
    **dataclasses.asdict(interval),
    values=values,
    learning_rate=math.nan,
    **dataclasses.asdict(one.costs),
    temporary_bytes=one.temporary_bytes,
    compile_seconds=one.compile_seconds,
    train_seconds=math.nan,
    examples_per_second=math.nan,
    steps=0,
  )
