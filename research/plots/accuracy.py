"""Scores with their intervals: by variant, and over the slices of a task."""

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from research.plots import labels
from research.plots.palette import LIGHT
from research.plots.readable import fixed
from research.plots.style import (
  SMALL,
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


def by_variant(
  rows: Sequence[Row],
  look: Mapping[str, Look],
  metric: str,
  best: Best,
  chance: float | None = None,
) -> Figure:
  """Mean and interval of every variant, the best on top.

  The small dots below a mean are its seeds; a thin upright stroke is the best
  possible score, a dotted line the score of guessing.
  """
  rows = sorted(
    rows, key=lambda row: -row.mean if row.mean == row.mean else 9e9
  )
  with settings():
    names = [row.variant for row in rows]
    widest = max(text_width(name) for name in names)
    number = max(text_width(fixed(row.mean)) for row in rows)
    figure, axes = panel(
      0.62 + 0.235 * len(rows),
      left=(widest + 10) / 72,
      right=(number + 14) / 72,
      top=0.2,
    )
    limits(axes.set_xlim, _reach(rows), metric)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), names)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(score_label(metric, "test"))
    axes.grid(axis="x")
    for y, row in enumerate(rows):
      _variant(axes, y, row, look[row.variant], best.get(row.variant))
    if chance is not None:
      _chance(axes, chance)
    return figure


def _variant(
  axes: Axes, y: int, row: Row, look: Look, best: float | None
) -> None:
  if best is not None:
    axes.plot(
      [best, best], [y - 0.34, y + 0.34], color=LIGHT["faint"], linewidth=1
    )
  _mark(axes, row.mean, y, row, look, across=True)
  axes.plot(
    row.values,
    [y + 0.33] * len(row.values),
    linestyle="none",
    marker="o",
    markersize=2.2,
    markeredgewidth=0,
    color=look.colour,
    alpha=0.6,
    clip_on=False,
  )
  axes.annotate(
    fixed(row.mean),
    xy=(1, y),
    xycoords=("axes fraction", "data"),
    xytext=(9, 0),
    textcoords="offset points",
    va="center_baseline",
    annotation_clip=False,
  )


def _chance(axes: Axes, chance: float) -> None:
  axes.axvline(chance, color=LIGHT["faint"], linestyle=":", linewidth=0.9)
  axes.annotate(
    "chance",
    xy=(chance, 1),
    xycoords=("data", "axes fraction"),
    xytext=(0, 3),
    textcoords="offset points",
    color=LIGHT["soft"],
    ha="center" if chance > 0.08 else "left",
  )


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
    limits(axes.set_ylim, _reach(rows), metric)
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
    _mark(axes, row.mean, x, row, look, across=False)


def _mark(
  axes: Axes,
  mean: float,
  place: int | float,
  row: Row,
  look: Look,
  across: bool,
) -> None:
  """A mean and its interval, along x if `across`, else along y."""
  ends, middle = [row.low, row.high], [place, place]
  axes.plot(
    *((ends, middle) if across else (middle, ends)),
    color=look.colour,
    linewidth=1.5 if across else 0.9,
    solid_capstyle="butt",
    clip_on=False,
  )
  axes.plot(
    *((mean, place) if across else (place, mean)),
    marker=look.marker,
    markersize=5 if across else 4,
    color=look.colour,
    markeredgewidth=0,
    clip_on=False,
  )


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
  """The name of every line at its right end."""
  ends = {}
  for i, (name, line) in enumerate(lines.items()):
    known = [
      (x + spread * i - 0.23, row.mean)
      for x, row in enumerate(line)
      if row is not None and math.isfinite(row.mean)
    ]
    if known:
      ends[name] = axes.transData.transform(known[-1])
  left, bottom = axes.transAxes.transform((0, 0))
  right, top = axes.transAxes.transform((1, 1))
  places = labels.apart(
    [float(y) for _, y in ends.values()], labels.HEIGHT, bottom, top
  )
  for (name, (x, y)), place in zip(ends.items(), places, strict=True):
    axes.annotate(
      "",
      xy=(x + 3, y),
      xytext=(right + 10, place),
      xycoords="figure points",
      textcoords="figure points",
      arrowprops={
        "arrowstyle": "-",
        "linewidth": 0.5,
        "color": look[name].colour,
        "shrinkA": 0,
        "shrinkB": 0,
      },
    )
    axes.annotate(
      name,
      xy=(right + 12, place),
      xycoords="figure points",
      va="center_baseline",
      fontsize=SMALL,
      annotation_clip=False,
    )


def _reach(rows: Sequence[Row]) -> list[float]:
  return [end for row in rows for end in (row.mean, row.low, row.high)]
