"""Scores with their intervals over the slices of a task."""

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from research.plots import labels
from research.plots.marks import mark, reach
from research.plots.palette import LIGHT
from research.plots.style import (
  WIDTH,
  Look,
  limits,
  panel,
  score_label,
  settings,
  text_width,
)
from research.results import Row

Best = Mapping[str, float]
"""The best possible score by variant, where it is known."""


def by_slice(
  lines: Mapping[str, Sequence[Row | None]],
  ticks: Sequence[str],
  axis: str,
  look: Mapping[str, Look],
  metric: str,
  best: Mapping[str, Best],
) -> Figure:
  """One line a variant over the slices, with intervals.

  Points of one slice stand side by side, so that intervals can be told apart.

  Args:
    lines: variant → a row for every slice, None where there is none.
    ticks: the names of the slices.
    axis: what the slices are.
    look: of every variant.
    metric: of the rows.
    best: tick → the best possible scores.
  """
  with settings():
    widest = max(text_width(name) for name in lines)
    figure, axes = panel(2.75, left=0.47, right=(widest + 22) / 72)
    rows = [row for line in lines.values() for row in line if row is not None]
    limits(axes.set_ylim, reach(rows), metric)
    axes.set_xlim(-0.4, len(ticks) - 0.6)
    axes.set_xlabel(axis)
    axes.set_ylabel(score_label(metric, "test"))
    axes.grid(axis="y")
    _ticks(axes, ticks)
    spread = 0.46 / max(len(lines) - 1, 1)
    _bounds(axes, list(lines), ticks, best, look)
    for i, (name, line) in enumerate(lines.items()):
      _line(axes, line, spread * i - 0.23, look[name])
    _ends(axes, lines, look, spread)
    return figure


def _ticks(axes: Axes, ticks: Sequence[str]) -> None:
  """As many ticks as have room."""
  room = axes.get_position().width * WIDTH * 72
  widest = max(text_width(tick) for tick in ticks) + 4
  step = math.ceil(len(ticks) * widest / room)
  axes.set_xticks(range(0, len(ticks), step), ticks[::step])
  if step > 1:
    axes.set_xticks(range(len(ticks)), minor=True)


def _line(
  axes: Axes, line: Sequence[Row | None], shift: float, look: Look
) -> None:
  there = [(x + shift, row) for x, row in enumerate(line) if row is not None]
  axes.plot(
    [x for x, _ in there],
    [row.mean for _, row in there],
    color=look.colour,
    linestyle=look.line,
    linewidth=1.1,
  )
  for x, row in there:
    mark(axes, row, x, look, across=False)


def _bounds(
  axes: Axes,
  names: Sequence[str],
  ticks: Sequence[str],
  best: Mapping[str, Best],
  look: Mapping[str, Look],
) -> None:
  """The best possible, faintly: one line if it is the same for everybody."""
  nan = float("nan")
  found = {
    name: tuple(best.get(tick, {}).get(name, nan) for tick in ticks)
    for name in names
  }
  found = {n: line for n, line in found.items() if any(y == y for y in line)}
  shared = len(found) == len(names) > 1 and len(set(found.values())) == 1
  for name in list(found)[:1] if shared else found:
    axes.plot(
      range(len(ticks)),
      found[name],
      color=LIGHT["soft"] if shared else look[name].colour,
      linestyle=(0, (1, 2)),
      linewidth=0.8,
      marker="_",
      markersize=9,
      markeredgewidth=0.8,
    )


def _ends(
  axes: Axes,
  lines: Mapping[str, Sequence[Row | None]],
  look: Mapping[str, Look],
  spread: float,
) -> None:
  """The name of every line at its right end.

  Where a line ends before the last slice, nothing could lead to its name
  without crossing others: its marker stands there.
  """
  ends, short = {}, {}
  for i, (name, line) in enumerate(lines.items()):
    known = [
      (x + spread * i - 0.23, row.mean)
      for x, row in enumerate(line)
      if row is not None and math.isfinite(row.mean)
    ]
    if known:
      ends[name] = known[-1]
    if line[-1] is None:
      short[name] = look[name].marker
  colours = {name: look[name].colour for name in ends}
  labels.at_right(axes, ends, colours, short)
