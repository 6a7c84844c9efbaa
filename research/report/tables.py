"""The numbers of a run as tables: the short answer, slices, tests, seeds."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from research.experiment import TIMED, Experiment
from research.plots.readable import NONE, fixed, interval, rate, short
from research.report.document import Cell, Table
from research.results import Row, Summary
from research.training.written import ERROR_RATE, WRITTEN


def metric(experiment: Experiment) -> str:
  """The name of the score: "accuracy", or what the objective has."""
  return experiment.task.objective.metric


def title(experiment: Experiment, score: str = "") -> str:
  """The name of the score, or of another metric, to begin a sentence.

  A score that is taken while the model is shown the target says so.
  """
  name = score or metric(experiment)
  tasks = (experiment.variant(one).task for one in experiment.names())
  shown = name == metric(experiment) and any(one.reads_source for one in tasks)
  words = name.replace("_", " ").capitalize()
  return f"{words} (targets shown)" if shown else words


def ranked(experiment: Experiment, summary: Summary) -> list[Row]:
  """The score of every variant on its own task; the best first.

  The best are those that write with the fewest errors, where all write.
  """
  score = metric(experiment)
  found = (summary.find(name, metric=score) for name in experiment.names())
  rows = [row for row in found if row]
  wrote = [summary.find(row.variant, metric=ERROR_RATE) for row in rows]
  keys = [row.mean for row in wrote if row]
  if len(keys) < len(rows):
    keys = [-row.mean for row in rows]
  return [rows[i] for i in np.argsort(keys, kind="stable")]  # NaN last


def bounds(experiment: Experiment) -> dict[str, dict[str, float]]:
  """Slice → variant → the best possible score."""
  best: dict[str, dict[str, float]] = {}
  for bound in experiment.bounds:
    best.setdefault(bound.slice, {})[bound.variant] = bound.best
  return best


def slices(rows: Sequence[Row], task: str, score: str) -> dict[str, list[str]]:
  """Family → its slices in order, as {"pairs": ["pairs=4", "pairs=8"]}."""
  families: dict[str, list[str]] = {}
  for row in rows:
    family, equals, _ = row.slice.partition("=")
    if (row.task, row.metric) == (task, score) and equals:
      names = families.setdefault(family, [])
      if row.slice not in names:
        names.append(row.slice)
  return {name: sorted(found, key=_order) for name, found in families.items()}


def tasks(rows: Sequence[Row]) -> list[str]:
  """The names of the test tasks, in order; "test" is each variant's own."""
  return list(dict.fromkeys(row.task for row in rows))


def written(rows: Sequence[Row]) -> list[str]:
  """The metrics of what was written, if there are any."""
  known = {row.metric for row in rows}
  return [name for name in WRITTEN if name in known]


def answer(experiment: Experiment, summary: Summary) -> Table:
  """Per variant what it reached and what it cost, the best first."""
  best = bounds(experiment).get("all", {})
  wrote = written(summary.rows)
  timed = any(row.metric == TIMED for row in summary.rows)
  columns: list[tuple[str, str]] = [
    ("variant", ""),
    (title(experiment).lower(), "mean over seeds"),
    ("95% interval", "of the mean"),
    *([("possible", "the best that can be reached")] if best else []),
    *((name.replace("_", " "), "written token by token") for name in wrote),
    ("solved", "seeds that reached the target"),
    *_COSTS,
    *([("step (ms)", "of one member, variants in turn")] if timed else []),
  ]
  return Table(
    tuple(Cell(name, hint=hint) for name, hint in columns),
    tuple(
      (
        Cell(row.variant),
        _score(row),
        Cell(interval(row.low, row.high)),
        *([Cell(fixed(best.get(row.variant, math.nan)))] if best else []),
        *(_metric(summary, row.variant, name) for name in wrote),
        _solved(summary, row.variant),
        *_cost(row),
        *([_times(summary, row.variant)] if timed else []),
      )
      for row in ranked(experiment, summary)
    ),
    "Every variant, the best first",
  )


_COSTS = (
  ("parameters", "learned numbers"),
  ("state", "numbers carried to the next token, over all layers"),
  ("FLOPs / example", "forward and backward; matrix products and FFTs"),
  ("memory (B)", "temporary bytes of the training program"),
  ("compile (s)", ""),
  ("train (s)", "all seeds and learning rates of the sweep"),
  ("examples / s", "in training, over all seeds and learning rates"),
  ("rate", "the chosen learning rate"),
  ("steps", "the most that any seed took"),
)


def _cost(row: Row) -> tuple[Cell, ...]:
  """The columns of `_COSTS`."""
  return (
    _count(row.parameters),
    _count(row.state_size),
    _count(row.flops_per_example),
    _count(row.temporary_bytes),
    Cell(_seconds(row.compile_seconds)),
    Cell(_seconds(row.train_seconds)),
    _count(row.examples_per_second),
    Cell(rate(row.learning_rate)),
    _count(row.steps),
  )


def brief(experiment: Experiment, summary: Summary) -> Table:
  """As many columns of the answer as fit a terminal of 80."""
  wrote = bool(written(summary.rows))
  first = ERROR_RATE if wrote else metric(experiment)
  rows = []
  for row in ranked(experiment, summary):
    own = summary.find(row.variant, metric=first) or row
    rows.append(
      (
        Cell(row.variant),
        _score(own),
        Cell(interval(own.low, own.high)),
        _score(row) if wrote else _solved(summary, row.variant),
        _count(row.parameters),
        _count(row.state_size),
        Cell(_seconds(row.train_seconds)),
        Cell(rate(row.learning_rate)),
      )
    )
  titles = (first.replace("_", " "), "95% interval")
  third = metric(experiment) if wrote else "solved"
  names = ("variant", *titles, third, "params", "state", "train s", "rate")
  return Table(tuple(map(Cell, names)), tuple(rows))


def by_slice(
  experiment: Experiment, summary: Summary, task: str, score: str = ""
) -> list[Table]:
  """Variants × slices, a table for each family of slices of a test task.

  A family of one slice says no more than the whole. Without a `score`, that
  of the task.
  """
  own = not score
  score = score or metric(experiment)
  best = bounds(experiment) if task == "test" and own else {}
  found = slices(summary.rows, task, score)
  where = "" if task == "test" else f", test task {task}"
  return [
    _grid(
      experiment,
      summary,
      {name.partition("=")[2]: (task, name) for name in names},
      f"{title(experiment, score)} by {family.replace('_', ' ')}{where}",
      best,
      score,
    )
    for family, names in found.items()
    if len(names) > 1
  ]


def by_task(experiment: Experiment, summary: Summary) -> Table | None:
  """Variants × test tasks, if there are further ones."""
  names = tasks(summary.rows)
  if len(names) < 2:
    return None
  return _grid(
    experiment,
    summary,
    {name: (name, "all") for name in names},
    f"{title(experiment)} by test task; “test” has fresh examples of the task "
    "trained on, “train” those trained on",
    {},
    metric(experiment),
  )


def by_seed(experiment: Experiment, summary: Summary) -> Table:
  """The score of every single seed."""
  rows = ranked(experiment, summary)
  count = max((len(row.values) for row in rows), default=0)
  missing = (math.nan,) * count
  return Table(
    (Cell("variant"), *(Cell(f"seed\u00a0{i}") for i in range(count))),
    tuple(
      (
        Cell(row.variant),
        *(Cell(fixed(x)) for x in (*row.values, *missing)[:count]),
      )
      for row in rows
    ),
    f"{title(experiment)} of each seed",
  )


def _score(row: Row, *below: str) -> Cell:
  """A mean; its seeds as a hint."""
  each = ", ".join(
    f"seed {i}: {fixed(value)}" for i, value in enumerate(row.values)
  )
  return Cell(fixed(row.mean), "\n".join(below), each)


def _grid(
  experiment: Experiment,
  summary: Summary,
  columns: Mapping[str, tuple[str, str]],
  caption: str,
  best: Mapping[str, Mapping[str, float]],
  score: str,
) -> Table:
  """Variants × (task, slice): means, intervals and the best possible."""

  def cell(variant: str, task: str, slice: str) -> Cell:
    row = summary.find(variant, task, slice, score)
    if row is None:
      return Cell(NONE)
    most = best.get(slice, {}).get(variant)
    possible = [] if most is None else [f"of {fixed(most, 2)} possible"]
    return _score(row, interval(row.low, row.high), *possible)

  return Table(
    (Cell("variant"), *map(Cell, columns)),
    tuple(
      (Cell(row.variant), *(cell(row.variant, *at) for at in columns.values()))
      for row in ranked(experiment, summary)
    ),
    caption,
  )


def _solved(summary: Summary, variant: str) -> Cell:
  row = summary.find(variant, metric="solved")
  if row is None:
    return Cell(NONE)
  known = [value for value in row.values if math.isfinite(value)]
  hint = f"share {fixed(row.mean, 2)} {interval(row.low, row.high, 2)}"
  return Cell(f"{sum(known):.0f}/{len(row.values)}", hint=hint)


def _metric(summary: Summary, variant: str, metric: str) -> Cell:
  row = summary.find(variant, metric=metric)
  return Cell(NONE) if row is None else _score(row, interval(row.low, row.high))


def _times(summary: Summary, variant: str) -> Cell:
  row = summary.find(variant, metric=TIMED)
  if row is None:
    return Cell(NONE)
  hint = f"{interval(row.low, row.high)} over {len(row.values)} rounds"
  return Cell(fixed(row.mean, 2), hint=hint)


def _count(value: int | float) -> Cell:
  """Short, with all digits as a hint."""
  exact = f"{value:,.0f}" if math.isfinite(value) else ""
  return Cell(short(value), hint="" if exact == short(value) else exact)


def _seconds(value: float) -> str:
  return fixed(value, 1) if value < 9.95 else fixed(value, 0)


def _order(name: str) -> tuple[float, str]:
  """Numbers by size, then other names by letter."""
  value = name.partition("=")[2]
  try:
    return float(value), value
  except ValueError:
    return math.inf, value
