"""What grows with the length, on two log axes: a power is a straight line."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from research.plots import labels
from research.plots.cost import decades
from research.plots.marks import mark
from research.plots.readable import short
from research.plots.style import (
  WIDTH,
  Look,
  panel,
  settings,
  text_width,
)
from research.results import Row


def against_length(
  lines: Mapping[str, Sequence[tuple[int, Row]]],
  axis: str,
  look: Mapping[str, Look],
  names: Mapping[str, str],
) -> Figure:
  """One line a variant over the lengths, with intervals.

  Args:
    lines: variant → its lengths and rows, of which those without a mean are
      left out.
    axis: what grows, with its unit.
    look: of every variant.
    names: variant → what is written at the end of its line.
  """
  kept = {
    name: [(n, row) for n, row in line if row.mean > 0]
    for name, line in lines.items()
  }
  kept = {name: line for name, line in kept.items() if line}
  with settings():
    widest = max((text_width(names[name]) for name in kept), default=0.0)
    figure, axes = panel(2.9, left=0.55, right=(widest + 22) / 72)
    axes.set_xlabel("length (tokens, log scale)")
    axes.set_ylabel(axis)
    axes.grid()
    points = [(n, row.mean) for line in kept.values() for n, row in line]
    _scale(axes, points or [(1, 1.0)])
    for name, line in kept.items():
      axes.plot(
        [n for n, _ in line],
        [row.mean for _, row in line],
        color=look[name].colour,
        linestyle=look[name].line,
        linewidth=1.1,
      )
      for n, row in line:
        mark(axes, _inside(axes, row), n, look[name], across=False)
    ends = {
      names[v]: (line[-1][0], line[-1][1].mean) for v, line in kept.items()
    }
    colours = {names[name]: look[name].colour for name in kept}
    labels.at_right(axes, ends, colours)
    return figure


def _inside(axes: Axes, row: Row) -> Row:
  """The row with its interval cut off where the panel ends.

  On a log axis one that holds zero has no end.
  """
  low, high = axes.get_ylim()
  return dataclasses.replace(
    row, low=max(row.low, low), high=min(row.high, high)
  )


def _scale(axes: Axes, points: Sequence[tuple[int, float]]) -> None:
  """Two log axes that hold the points, with round numbers on them."""
  lengths = sorted({n for n, _ in points})
  values = [value for _, value in points]
  axes.set_xscale("log")
  axes.set_yscale("log")
  axes.set_xlim(lengths[0] / 1.15, lengths[-1] * 1.15)
  axes.set_ylim(min(values) / 1.5, max(values) * 1.5)
  axes.xaxis.set_major_locator(FixedLocator(_apart(axes, lengths)))
  axes.xaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:,.0f}"))
  axes.yaxis.set_major_locator(FixedLocator(decades(min(values), max(values))))
  axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: short(y)))
  for one in (axes.xaxis, axes.yaxis):
    one.set_minor_locator(NullLocator())


def _apart(axes: Axes, lengths: Sequence[int]) -> list[float]:
  """The longest length, and as many others as have room."""
  room = axes.get_position().width * WIDTH * 72
  low, high = axes.get_xlim()
  shown: list[float] = []
  edge = math.inf
  for n in reversed(lengths):
    middle = room * math.log(n / low) / math.log(high / low)
    half = text_width(f"{n:,}") / 2 + 3
    if middle + half <= edge:
      shown.append(float(n))
      edge = middle - half
  return shown
