"""Mixers timed alone as tables: the short answer, lengths, rounds."""

import math
from collections.abc import Callable

from research.experiment import (
  BYTES,
  BYTES_EXPONENT,
  GENERATION_EXPONENT,
  MICROSECONDS,
  MILLISECONDS,
  TIME_EXPONENT,
  Experiment,
)
from research.lengths.measure import MOST_BYTES, MOST_SECONDS
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
        time(at(summary, row.variant, last, MILLISECONDS)),
        counted(row.temporary_bytes),
        counted(row.flops_per_example),
        counted(row.state_size),
        counted(row.parameters),
        Cell(fixed(row.compile_seconds, 1)),
      )
      for row in _rows(experiment, summary)
    ),
    "Every variant; time and memory grow with about this power of the length",
  )


def brief(experiment: Experiment, summary: Summary) -> Table:
  """As many columns of the answer as fit a terminal of 80."""
  last = experiment.lengths[-1]
  titles = ["variant", "time exp.", "95% interval", "memory exp."]
  titles += [f"ms at {last:,}", "memory (B)"]
  if experiment.generation:  # there is no room for both
    titles[2:4] = ["token exp.", "µs/token"]

  def cells(row: Row) -> tuple[Cell, ...]:
    found = [
      *_exponents(summary, row),
      time(at(summary, row.variant, last, MILLISECONDS)),
      counted(row.temporary_bytes),
    ]
    if experiment.generation:
      power = summary.find(row.variant, metric=GENERATION_EXPONENT)
      found[2:4] = [
        exponent(power),
        time(at(summary, row.variant, last, MICROSECONDS)),
      ]
    return tuple(found)

  return Table(
    tuple(map(Cell, titles)),
    tuple(cells(row) for row in _rows(experiment, summary)),
  )


def short_answer(experiment: Experiment, summary: Summary) -> tuple[Block, ...]:
  """The table, and what was not run."""
  return (answer(experiment, summary), *_left_out(experiment, summary))


def _left_out(experiment: Experiment, summary: Summary) -> list[Text]:
  """What was not run, and why."""
  large, slow = [], []
  for name in experiment.names():
    for length in experiment.lengths:
      row = at(summary, name, length, MILLISECONDS)
      memory = at(summary, name, length, BYTES)
      if memory is not None and memory.mean > MOST_BYTES:
        large.append(f"{name} at {length:,}")
      elif row is not None and not math.isfinite(row.mean):
        slow.append(f"{name} at {length:,}")
  reasons = (
    (large, f"ask for more than {MOST_BYTES / 2**30:.0f} GiB of temporary "
     "memory"),
    (slow, f"were left out, as a call at a shorter length takes more than "
     f"{MOST_SECONDS:g} s"),
  )  # fmt: skip
  return [
    Text(
      f"Not run: {', '.join(names)}. Their programs were compiled, and "
      f"{reason}."
    )
    for names, reason in reasons
    if names
  ]


def by_length(experiment: Experiment, summary: Summary) -> tuple[Block, ...]:
  """Variants × lengths, and the exponents of every round."""
  return (
    grid(
      experiment,
      summary,
      MILLISECONDS,
      lambda row: time(row, below=True),
      "Milliseconds of a call by length, forward and backward",
    ),
    grid(
      experiment,
      summary,
      BYTES,
      lambda row: counted(row.mean),
      "Temporary bytes of a call by length",
    ),
    by_round(experiment, summary, TIME_EXPONENT, "Time exponent of each round"),
  )


def grid(
  experiment: Experiment,
  summary: Summary,
  metric: str,
  cell: Callable[[Row], Cell],
  caption: str,
) -> Table:
  """Those variants that have a metric × all lengths."""
  lines = {
    name: [at(summary, name, n, metric) for n in experiment.lengths]
    for name in experiment.names()
  }
  return Table(
    (Cell("variant"), *(Cell(f"{length:,}") for length in experiment.lengths)),
    tuple(
      (Cell(name), *(Cell(NONE) if row is None else cell(row) for row in line))
      for name, line in lines.items()
      if any(line)
    ),
    caption,
  )


def by_round(
  experiment: Experiment, summary: Summary, metric: str, caption: str
) -> Table:
  """An exponent of those variants that have it, round by round."""
  rows = (summary.find(name, metric=metric) for name in experiment.names())
  return Table(
    (Cell("variant"), *(Cell(f"round\u00a0{i}") for i in range(ROUNDS))),
    tuple(
      (Cell(row.variant), *(Cell(fixed(value)) for value in row.values))
      for row in rows
      if row is not None
    ),
    caption,
  )


def reached(experiment: Experiment, summary: Summary) -> list[str]:
  """The exponents in sentences."""
  rows = _rows(experiment, summary)
  times = "; ".join(map(said, rows))
  bytes_ = "; ".join(
    f"{row.variant} {fixed(_exponent(summary, row.variant), 2)}" for row in rows
  )
  return [f"Exponents of time: {times}.", f"Exponents of memory: {bytes_}."]


def said(row: Row) -> str:
  """An exponent and its interval, in a sentence."""
  return f"{row.variant} {fixed(row.mean, 2)} {interval(row.low, row.high, 2)}"


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
  return (
    Cell(row.variant),
    exponent(row),
    Cell(interval(row.low, row.high, 2)),
    Cell(fixed(_exponent(summary, row.variant), 2)),
  )


def exponent(row: Row | None) -> Cell:
  """Two decimals; its rounds as a hint."""
  if row is None:
    return Cell(NONE)
  each = ", ".join(
    f"round {i}: {fixed(value)}" for i, value in enumerate(row.values)
  )
  return Cell(fixed(row.mean, 2), hint=each)


def time(row: Row | None, *, below: bool = False) -> Cell:
  """A time, with its interval below; its rounds as a hint."""
  if row is None or not math.isfinite(row.mean):
    return Cell(NONE)
  each = ", ".join(
    f"round {i}: {digits(value)}" for i, value in enumerate(row.values)
  )
  ends = f"[{digits(row.low)}, {digits(row.high)}]" if below else ""
  return Cell(digits(row.mean), ends, each)


def digits(value: float) -> str:
  """Three digits or more."""
  size = abs(value)
  decimals = 0 if size >= 100 else 1 if size >= 10 else 2
  return f"{value:.{decimals}f}".replace("-", "−")


def counted(value: int | float) -> Cell:
  """Short, with all digits as a hint."""
  exact = f"{value:,.0f}" if math.isfinite(value) else ""
  return Cell(short(value), hint="" if exact == short(value) else exact)
