"""Tokens made one by one, forms that have to agree, and where curves cross."""

import math

from research.experiment import (
  DIFFERENCE,
  GENERATION_EXPONENT,
  GRADIENT_DIFFERENCE,
  MICROSECONDS,
  MILLISECONDS,
  STATE_BYTES,
  STREAM_DIFFERENCE,
  Experiment,
)
from research.lengths.crossings import crossings
from research.plots.readable import NONE, interval
from research.report.document import Block, Cell, Table
from research.report.length_tables import (
  at,
  by_round,
  counted,
  exponent,
  grid,
  said,
  time,
)
from research.results import Row, Summary


def short_answer(experiment: Experiment, summary: Summary) -> tuple[Block, ...]:
  """A token's time and the state, and how far forms are apart."""
  tables = [_generated(experiment, summary), _agreeing(experiment, summary)]
  return tuple(table for table in tables if table.rows)


def by_length(experiment: Experiment, summary: Summary) -> tuple[Block, ...]:
  """Variants × lengths, and variants × variants: who is faster where."""
  tables = [
    grid(
      experiment,
      summary,
      MICROSECONDS,
      lambda row: time(row, below=True),
      "Microseconds of a generated token by length",
    ),
    grid(
      experiment,
      summary,
      STATE_BYTES,
      lambda row: counted(row.mean),
      "Bytes of the state by length",
    ),
    by_round(
      experiment,
      summary,
      GENERATION_EXPONENT,
      "Exponent of a token’s time, of each round",
    ),
    *(
      grid(
        experiment,
        summary,
        metric,
        _apart,
        f"Largest difference of {what} by length, relative to the largest "
        "number",
      )
      for metric, what in (
        (STREAM_DIFFERENCE, "outputs made token by token"),
        (DIFFERENCE, "outputs from those of the first form"),
        (GRADIENT_DIFFERENCE, "gradients from those of the first form"),
      )
    ),
    _faster(experiment, summary, MILLISECONDS, "forward and backward"),
    _faster(experiment, summary, MICROSECONDS, "at a generated token"),
  ]
  return tuple(table for table in tables if table.rows)


def reached(experiment: Experiment, summary: Summary) -> list[str]:
  """What came out, in sentences."""
  rows = _found(experiment, summary, GENERATION_EXPONENT)
  times = "; ".join(map(said, rows))
  told = [f"Exponents of a token’s time: {times}."] if rows else []
  for group in experiment.same:
    both = "; ".join(
      f"{name} {_apart(summary.find(name, metric=DIFFERENCE)).text} and "
      f"{_apart(summary.find(name, metric=GRADIENT_DIFFERENCE)).text}"
      for name in group[1:]
    )
    told.append(
      f"Largest differences of outputs and gradients from {group[0]}: {both}."
    )
  return told


def _generated(experiment: Experiment, summary: Summary) -> Table:
  first, last = experiment.lengths[0], experiment.lengths[-1]
  columns = (
    ("variant", ""),
    ("token exponent", "mean over rounds"),
    ("95% interval", "of the mean"),
    (f"token at {first:,} (µs)", "mean over rounds"),
    (f"token at {last:,} (µs)", "mean over rounds"),
    (f"state at {first:,} (B)", "of one sequence"),
    (f"state at {last:,} (B)", "of one sequence"),
    ("difference", "of outputs token by token from all at once, relative"),
  )
  return Table(
    tuple(Cell(name, hint=hint) for name, hint in columns),
    tuple(
      (
        Cell(row.variant),
        exponent(row),
        Cell(interval(row.low, row.high, 2)),
        *(
          time(at(summary, row.variant, n, MICROSECONDS)) for n in (first, last)
        ),
        *(
          _bytes(at(summary, row.variant, n, STATE_BYTES))
          for n in (first, last)
        ),
        _apart(summary.find(row.variant, metric=STREAM_DIFFERENCE)),
      )
      for row in _found(experiment, summary, GENERATION_EXPONENT)
    ),
    "Token after token; the time of one grows with about this power of the "
    "length",
  )


def _agreeing(experiment: Experiment, summary: Summary) -> Table:
  pairs = [(name, one[0]) for one in experiment.same for name in one[1:]]
  return Table(
    tuple(map(Cell, ("variant", "has to agree with", "outputs", "gradients"))),
    tuple(
      (
        Cell(name),
        Cell(first),
        _apart(summary.find(name, metric=DIFFERENCE)),
        _apart(summary.find(name, metric=GRADIENT_DIFFERENCE)),
      )
      for name, first in pairs
    ),
    "Largest difference at any length, relative to the largest number",
  )


def _faster(
  experiment: Experiment, summary: Summary, metric: str, what: str
) -> Table:
  """For every two variants: the lengths at which the row is the faster."""
  curves = {
    name: tuple(row.values for row in rows if row is not None)
    for name in experiment.names()
    if any(rows := [at(summary, name, n, metric) for n in experiment.lengths])
  }
  names = [*curves] if len(curves) > 1 else []
  return Table(
    (Cell("faster"), *(Cell(f"than {name}") for name in names)),
    tuple(
      (
        Cell(one),
        *(
          Cell(NONE)
          if one == other
          else Cell(where(experiment.lengths, curves[one], curves[other]))
          for other in names
        ),
      )
      for one in names
    ),
    f"Lengths from or up to which a row is faster than a column, {what}",
  )


def where(
  lengths: tuple[int, ...],
  left: tuple[tuple[float, ...], ...],
  right: tuple[tuple[float, ...], ...],
) -> str:
  """The lengths at which the left curve lies below the right one."""
  signs, places = crossings(lengths, left, right)
  told = [sign for sign in signs if sign]
  ends = [f"{_rounded(place):,}" for place in places]
  if not told:
    return "not told apart"
  if not ends and told[0] > 0:
    return "nowhere"
  if not ends:
    return "everywhere" if len(told) == len(lengths) else "where told apart"
  spans = [f"up to {ends.pop(0)}"] if told[0] < 0 else []
  while len(ends) > 1:
    spans.append(f"{ends.pop(0)} to {ends.pop(0)}")
  return ", ".join(spans + [f"from {end}" for end in ends])


def _rounded(length: float) -> int:
  """Two digits: between measured lengths there is no more to know."""
  unit = 10 ** max(math.floor(math.log10(length)) - 1, 0)
  return round(length / unit) * unit


def _found(experiment: Experiment, summary: Summary, metric: str) -> list[Row]:
  rows = (summary.find(name, metric=metric) for name in experiment.names())
  return [row for row in rows if row is not None]


def _bytes(row: Row | None) -> Cell:
  return Cell(NONE) if row is None else counted(row.mean)


def _apart(row: Row | None) -> Cell:
  """A relative difference: 3.1e-07."""
  if row is None or not math.isfinite(row.mean):
    return Cell(NONE)
  return Cell(f"{row.mean:.1e}" if row.mean else "0")
