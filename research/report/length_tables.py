"""Mixers timed alone as tables: the short answer, lengths, rounds."""

import math
from typing import Any

from research.experiment import (
  BYTES,
  BYTES_EXPONENT,
  MILLISECONDS,
  TIME_EXPONENT,
  Experiment,
)
from research.lengths import MOST_BYTES
from research.plots.readable import NONE, fixed, interval, short
from research.report.document import Block, Cell, Table, Text
from research.results import Row, Summary
from research.timing import ROUNDS


def answer(experiment: Experiment, summary: Summary) -> Table:
  """Per variant both exponents, and the costs of the longest length."""
  last = experiment.lengths[-1]
  columns = (
    ("variant", ""),
    ("time exponent", "mean over rounds"),
    ("95% interval", "of the mean"),
    ("memory exponent", "counted"),
    (f"time at {last:,} (ms)", "forward and backward, mean over rounds"),
    (f"memory at {last:,} (B)", "temporary bytes"),
    (f"FLOPs at {last:,}", "of one sequence, matrix products and FFTs"),
    (f"state at {last:,}", "numbers carried to the next token"),
    ("parameters", "learned numbers of the mixer"),
    ("compile (s)", "all lengths"),
  )
  return Table(
    tuple(Cell(name, hint=hint) for name, hint in columns),
    tuple(
      (
        *_exponents(summary, row),
        _time(at(summary, row.variant, last, MILLISECONDS)),
        _count(row.temporary_bytes),
        _count(row.flops_per_example),
        _count(row.state_size),
        _count(row.parameters),
        Cell(fixed(row.compile_seconds, 1)),
      )
      for row in _rows(experiment, summary)
    ),
    "Every variant; time and memory grow with about this power of the length",
  )


def brief(experiment: Experiment, summary: Summary) -> Table:
  """As many columns of the answer as fit a terminal of 80."""
  last = experiment.lengths[-1]
  titles = ("variant", "time exp.", "95% interval", "memory exp.")
  return Table(
    tuple(map(Cell, (*titles, f"ms at {last:,}", "memory (B)"))),
    tuple(
      (
        *_exponents(summary, row),
        _time(at(summary, row.variant, last, MILLISECONDS)),
        _count(row.temporary_bytes),
      )
      for row in _rows(experiment, summary)
    ),
  )


def short_answer(experiment: Experiment, summary: Summary) -> tuple[Block, ...]:
  """The table, and what was not run."""
  skipped = [
    f"{name} at {length:,}"
    for name in experiment.names()
    for length in experiment.lengths
    if _is_too_large(at(summary, name, length, BYTES))
  ]
  note = Text(
    f"Not run: {', '.join(skipped)}. Their programs were compiled, and ask "
    f"for more than {MOST_BYTES / 2**30:.0f} GiB of temporary memory."
  )
  return (answer(experiment, summary), *([note] if skipped else []))


def by_length(experiment: Experiment, summary: Summary) -> tuple[Block, ...]:
  """Variants × lengths, and the exponents of every round."""
  rows = _rows(experiment, summary)
  lengths = experiment.lengths

  def grid(metric: str, cell: Any, caption: str) -> Table:
    return Table(
      (Cell("variant"), *(Cell(f"{length:,}") for length in lengths)),
      tuple(
        (
          Cell(row.variant),
          *(cell(at(summary, row.variant, n, metric)) for n in lengths),
        )
        for row in rows
      ),
      caption,
    )

  return (
    grid(
      MILLISECONDS,
      lambda row: _time(row, below=True),
      "Milliseconds of a call by length, forward and backward",
    ),
    grid(
      BYTES,
      lambda row: _count(math.nan if row is None else row.mean),
      "Temporary bytes of a call by length",
    ),
    Table(
      (Cell("variant"), *(Cell(f"round\u00a0{i}") for i in range(ROUNDS))),
      tuple(
        (Cell(row.variant), *(Cell(fixed(value)) for value in row.values))
        for row in rows
      ),
      "Time exponent of each round",
    ),
  )


def reached(experiment: Experiment, summary: Summary) -> list[str]:
  """The exponents in sentences."""
  rows = _rows(experiment, summary)
  times = "; ".join(
    f"{row.variant} {fixed(row.mean, 2)} {interval(row.low, row.high, 2)}"
    for row in rows
  )
  bytes_ = "; ".join(
    f"{row.variant} {fixed(_exponent(summary, row.variant), 2)}" for row in rows
  )
  return [f"Exponents of time: {times}.", f"Exponents of memory: {bytes_}."]


def _rows(experiment: Experiment, summary: Summary) -> list[Row]:
  """The time exponent of every variant."""
  found = (
    summary.find(name, metric=TIME_EXPONENT) for name in experiment.names()
  )
  return [row for row in found if row is not None]


def at(summary: Summary, variant: str, length: int, metric: str) -> Row | None:
  """What was measured of a variant at a length."""
  return summary.find(variant, slice=f"length={length}", metric=metric)


def _exponent(summary: Summary, variant: str) -> float:
  row = summary.find(variant, metric=BYTES_EXPONENT)
  return math.nan if row is None else row.mean


def _exponents(summary: Summary, row: Row) -> tuple[Cell, ...]:
  each = ", ".join(
    f"round {i}: {fixed(value)}" for i, value in enumerate(row.values)
  )
  return (
    Cell(row.variant),
    Cell(fixed(row.mean, 2), hint=each),
    Cell(interval(row.low, row.high, 2)),
    Cell(fixed(_exponent(summary, row.variant), 2)),
  )


def _is_too_large(row: Row | None) -> bool:
  return row is not None and row.mean > MOST_BYTES


def _time(row: Row | None, *, below: bool = False) -> Cell:
  """Milliseconds, with their interval below; their rounds as a hint."""
  if row is None or not math.isfinite(row.mean):
    return Cell(NONE)
  each = ", ".join(
    f"round {i}: {_digits(value)}" for i, value in enumerate(row.values)
  )
  ends = f"[{_digits(row.low)}, {_digits(row.high)}]" if below else ""
  return Cell(_digits(row.mean), ends, each)


def _digits(value: float) -> str:
  """Three digits or more."""
  size = abs(value)
  decimals = 0 if size >= 100 else 1 if size >= 10 else 2
  return f"{value:.{decimals}f}".replace("-", "−")


def _count(value: int | float) -> Cell:
  """Short, with all digits as a hint."""
  exact = f"{value:,.0f}" if math.isfinite(value) else ""
  return Cell(short(value), hint="" if exact == short(value) else exact)
