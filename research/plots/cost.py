"""What an accuracy costs: scores against state, time or work."""

import math
import re
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from research.plots import labels
from research.plots.marks import reach
from research.plots.palette import LIGHT
from research.plots.readable import short
from research.plots.style import Look, limits, panel, score_label, settings
from research.results import Row


def against(
  rows: Sequence[Row],
  costs: Mapping[str, int | float],
  axis: str,
  look: Mapping[str, Look],
  metric: str,
) -> Figure:
  """Mean and interval of every variant over its cost, on a log axis.

  A cost of zero stands at the left, behind a gap, over the tick "0". Variants
  whose names differ in a last number alone, as gla_16 and gla_64, are sizes
  of one thing: they share a look and a line, and are named once.

  Args:
    rows: one a variant.
    costs: variant → cost, in the unit that `axis` names.
    axis: the name and unit of the costs.
    look: of every variant.
    metric: of the rows.
  """
  with settings():
    figure, axes = panel(2.6, left=0.47, right=0.12)
    axes.set_ylabel(score_label(metric, "test"))
    axes.set_xlabel(axis)
    axes.grid()
    rows = [row for row in rows if math.isfinite(costs[row.variant])]
    limits(axes.set_ylim, reach(rows), metric)
    places = _scale(axes, costs)
    rows = [row for row in rows if math.isfinite(row.mean)]
    named = {}
    for name, members in _families(rows, places).items():
      shown = look[members[0].variant]
      if len(members) > 1:
        x = [places[row.variant] for row in members]
        y = [row.mean for row in members]
        axes.plot(x, y, color=shown.colour, linestyle=shown.line, linewidth=0.8)
      for row in members:
        _point(axes, places[row.variant], row, shown)
      named[members[-1].variant] = name, shown.colour
    _label(axes, rows, places, named)
    return figure


def _families(
  rows: Sequence[Row], places: Mapping[str, float]
) -> dict[str, list[Row]]:
  """The sizes of one thing in order, and every other variant alone."""
  found: dict[str, list[Row]] = {}
  for row in rows:
    found.setdefault(re.sub(r"_\d+$", "", row.variant), []).append(row)
  return {
    stem if len(members) > 1 else members[0].variant: sorted(
      members, key=lambda row: places[row.variant]
    )
    for stem, members in found.items()
  }


def _scale(axes: Axes, costs: Mapping[str, int | float]) -> dict[str, float]:
  """Sets the log axis; where each variant stands on it."""
  positive = [float(c) for c in costs.values() if math.isfinite(c) and c > 0]
  low, high = min(positive, default=1.0), max(positive, default=1.0)
  zero = low / max(4.0, (high / low) ** 0.25)
  has_zero = any(cost == 0 for cost in costs.values())
  margin = max(1.5, (high / low) ** 0.12)
  left, right = (zero / 1.5 if has_zero else low / margin), high * margin
  axes.set_xscale("log")
  axes.set_xlim(left, right)
  ticks = decades(low, high)
  axes.xaxis.set_major_locator(FixedLocator([zero] * has_zero + ticks))
  axes.xaxis.set_minor_locator(NullLocator())
  axes.xaxis.set_major_formatter(
    FuncFormatter(lambda x, _: "0" if has_zero and x == zero else short(x))
  )
  if has_zero:
    _break(axes, math.sqrt(zero * low))
  return {name: float(cost or zero) for name, cost in costs.items()}


def _break(axes: Axes, x: float) -> None:
  """Two strokes through the axis: here the scale is interrupted."""
  axes.annotate(
    "//",
    xy=(x, 0),
    xycoords=("data", "axes fraction"),
    ha="center",
    va="center",
    color=LIGHT["soft"],
    annotation_clip=False,
  )


def decades(low: float, high: float) -> list[float]:
  """Round numbers between two costs: tenfolds, or finer where they are few."""
  first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
  for steps in ((1,), (1, 3), (1, 2, 5), tuple(range(1, 10))):
    ticks = [
      step * 10.0**exponent
      for exponent in range(first, last + 1)
      for step in steps
    ]
    inside = [tick for tick in ticks if low / 1.4 <= tick <= high * 1.4]
    if len(inside) >= 3:
      break
  if not inside:  # one cost alone, such as 1.41, between 1 and 2
    return [low]
  return inside[:: math.ceil(len(inside) / 7)]


def _point(axes: Axes, x: float, row: Row, look: Look) -> None:
  axes.plot([x, x], [row.low, row.high], color=look.colour, linewidth=0.9)
  axes.plot(
    x,
    row.mean,
    marker=look.marker,
    markersize=5.5,
    color=look.colour,
    markeredgecolor=LIGHT["card"],
    markeredgewidth=0.4,
    clip_on=False,
  )


def _label(
  axes: Axes,
  rows: Sequence[Row],
  places: Mapping[str, float],
  named: Mapping[str, tuple[str, str]],
) -> None:
  """Names beside the points of these variants, with their colours."""

  def at(x: float, y: float) -> tuple[float, float]:
    point = axes.transData.transform((x, y))
    return float(point[0]), float(point[1])

  every = {row.variant: at(places[row.variant], row.mean) for row in rows}
  points = [every.pop(name) for name in named]
  bars = [(x - 3.6, y - 3.6, x + 3.6, y + 3.6) for x, y in every.values()]
  for row in rows:
    x = at(places[row.variant], row.mean)[0]
    if math.isfinite(row.low) and math.isfinite(row.high):
      bottom, top = at(1.0, row.low)[1], at(1.0, row.high)[1]
      bars.append((x - 1, bottom, x + 1, top))
  corners = axes.transAxes.transform([(0, 0), (1, 1)])
  left, bottom, right, top = (float(c) for c in corners.ravel())
  frame = (left + 2, bottom + 2, right + 6, top + 6)
  boxes = labels.beside(points, [n for n, _ in named.values()], frame, bars)
  for point, box, (name, colour) in zip(
    points, boxes, named.values(), strict=True
  ):
    labels.write(axes, point, box, name, colour)
