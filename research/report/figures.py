"""All figures of a run, drawn from its records and numbers.

matplotlib is loaded when the first figure is asked for, not before.
"""

import math
import types
from collections.abc import Mapping, Sequence
from typing import Any

from research.experiment import Experiment
from research.models.sequence import SequenceModel
from research.plots.readable import fixed
from research.report import length_figures, tables
from research.report.captions import CAPTIONS
from research.report.document import Picture
from research.results import Row, Summary
from research.training.measures import SLICED_BY, initial
from research.training.written import ERROR_RATE

AXES = {
  "state_size": ("state_size", 4, "state size (bytes, log scale)"),
  "train_time": ("train_seconds", 1, "training time (s, log scale)"),
  "flops": ("flops_per_example", 1, "work per example (FLOPs, log scale)"),
}
"""Figure → field of a row, what one of it counts, and the axis with its unit.

A number of a state has 4 bytes, as states are float32."""


def figures(
  experiment: Experiment,
  summary: Summary,
  curves: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
  """Name → matplotlib Figure, in the order of the report.

  Args:
    experiment: the record.
    summary: its numbers.
    curves: the lines of `metrics.jsonl`.

  Raises:
    ModuleNotFoundError: matplotlib is not installed; names the extra.
  """
  plots = load_plots()
  if experiment.lengths:
    return length_figures.figures(experiment, summary, plots)
  rows = tables.ranked(experiment, summary)
  if not rows:
    return {}
  look = plots.style.looks(experiment.names())
  score, best = tables.metric(experiment), tables.bounds(experiment)
  chances = {experiment.variant(row.variant).task.chance for row in rows}
  one = score == "accuracy" and len(chances) == 1
  drawn = {
    "accuracy": plots.accuracy.by_variant(
      rows, look, score, best.get("all", {}), chances.pop() if one else None
    )
  }
  drawn |= _written(summary, look)
  drawn |= _lines(experiment, summary, look)
  depths = _depths(experiment)
  if len({*depths.values()}) > 2:
    axis = "blocks (log scale)"
    drawn["depth"] = plots.cost.against(rows, depths, axis, look, score)
  for name, (field, unit, axis) in AXES.items():
    costs = {row.variant: unit * float(getattr(row, field)) for row in rows}
    if any(math.isfinite(c) and c > 0 for c in costs.values()):
      drawn[name] = plots.cost.against(rows, costs, axis, look, score)
  members = _members(rows, curves)
  if members:
    rates = {row.variant: row.learning_rate for row in rows}
    drawn["curves"] = plots.curves.panels(members, rates, look, score)
  return drawn


def pictures(
  experiment: Experiment, summary: Summary, files: Mapping[str, str]
) -> tuple[Picture, ...]:
  """The figures with captions, and with words for who cannot see them.

  Args:
    experiment: the record.
    summary: its numbers.
    files: name → the text of the figure's SVG file.
  """
  if experiment.lengths:
    return length_figures.pictures(experiment, summary, files, load_plots())
  rows = tables.ranked(experiment, summary)
  lost = [row.variant for row in rows if not math.isfinite(row.mean)]
  less = f" Without a mean, as a seed diverged: {', '.join(lost)}."
  made = []
  for name, text in files.items():
    title, reading = CAPTIONS[name]
    said = _said(rows if "{score}" in title else _of_all(summary, name))
    title = title.replace("{score}", tables.title(experiment))
    title = title.replace("{difficulty}", _words(experiment.difficulty))
    made.append(
      Picture(
        name,
        load_plots().style.inline(text, name),
        f"{title}. {reading}{less if lost else ''}",
        f"Figure: {title}.{said}",
      )
    )
  return tuple(made)


def _said(rows: Sequence[Row]) -> str:
  """Means in words, for who cannot see a figure."""
  means = ", ".join(f"{row.variant} {fixed(row.mean)}" for row in rows)
  return f" Means over all slices: {means}." if rows else ""


def load_plots() -> types.SimpleNamespace:
  """The files of `research.plots` that draw.

  Raises:
    ModuleNotFoundError: matplotlib is not installed; names the extra.
  """
  try:
    from research.plots import (
      accuracy,
      cost,
      cross,
      curves,
      growth,
      slices,
      style,
    )
  except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
      f"figures need {error.name}, which is not installed; allowed: "
      "pip install 'mixerlab[plots]'",
      name=error.name,
    ) from error
  return types.SimpleNamespace(
    accuracy=accuracy,
    cost=cost,
    cross=cross,
    curves=curves,
    growth=growth,
    slices=slices,
    style=style,
  )


def _lines(
  experiment: Experiment, summary: Summary, look: Mapping[str, Any]
) -> dict[str, Any]:
  """The score over the slices of difficulty, and over the test tasks.

  Slopes, if there are any, over the slices as well.
  """
  score, best = tables.metric(experiment), tables.bounds(experiment)
  found = tables.slices(summary.rows, "test", score)
  by_slice = [
    (name.partition("=")[2], "test", name)
    for name in found.get(experiment.difficulty, [])
  ]
  by_task = [
    (name, name, "all")
    for name in tables.tasks(summary.rows)
    if name != "train"
  ]
  difficulty = _words(experiment.difficulty)
  asked = {"difficulty": (difficulty, score, by_slice)}
  for measure in experiment.measures:
    for name in (measure, initial(measure)):
      where, axis = by_slice, difficulty
      if measure in SLICED_BY:
        axis = SLICED_BY[measure]
        own = tables.slices(summary.rows, "test", name).get(axis, [])
        where = [(part.partition("=")[2], "test", part) for part in own]
      asked[name] = (axis, name, where)
  asked["tests"] = ("test task", score, by_task)
  drawn = {}
  for name, (axis, metric, where) in asked.items():
    if len(where) > 1:
      drawn[name] = load_plots().slices.by_slice(
        {
          variant: [summary.find(variant, t, s, metric) for _, t, s in where]
          for variant in experiment.names()
        },
        [tick for tick, _, _ in where],
        axis,
        look,
        metric,
        {
          tick: best.get(s, {})
          for tick, _, s in where
          if s != "all" and metric == score
        },
      )
  return drawn


def _written(summary: Summary, look: Mapping[str, Any]) -> dict[str, Any]:
  """The error rates of what was written; the fewest errors first."""
  rows = _of_all(summary, ERROR_RATE)
  if not rows:
    return {}
  draw = load_plots().accuracy.by_variant
  return {ERROR_RATE: draw(rows, look, ERROR_RATE, {}, None)}


def _of_all(summary: Summary, metric: str) -> list[Row]:
  """The rows of a metric over all slices, the least first."""
  wanted = ("test", "all", metric)
  rows = [r for r in summary.rows if (r.task, r.slice, r.metric) == wanted]
  return sorted(
    rows, key=lambda row: row.mean if math.isfinite(row.mean) else math.inf
  )


def _depths(experiment: Experiment) -> dict[str, float]:
  """Variant → its number of blocks, where that is a model's own."""
  models = {name: experiment.variant(name).model for name in experiment.names()}
  return {
    name: float(model.layers)
    for name, model in models.items()
    if isinstance(model, SequenceModel)
  }


def _members(
  rows: Sequence[Row], curves: Sequence[Mapping[str, Any]]
) -> dict[str, list[Any]]:
  """Variant → the curves of its seeds at the chosen learning rate."""
  members: dict[str, list[Any]] = {}
  for row in rows:
    seeds: dict[int, list[Mapping[str, Any]]] = {}
    for line in curves:
      if line["variant"] == row.variant and math.isclose(
        line["learning_rate"], row.learning_rate, rel_tol=1e-6
      ):
        seeds.setdefault(line["seed"], []).append(line)
    if seeds:
      members[row.variant] = [
        _curve(lines) for _, lines in sorted(seeds.items())
      ]
  return members


def _curve(lines: Sequence[Mapping[str, Any]]) -> Any:
  scores = (line["validation"] for line in lines)
  return load_plots().curves.Curve(
    tuple(line["step"] for line in lines),
    tuple(math.nan if score is None else float(score) for score in scores),
    lines[-1]["status"],
  )


def _words(name: str) -> str:
  return name.replace("_", " ")
