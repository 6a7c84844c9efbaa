"""Scores with their intervals, variant by variant."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from research.plots.marks import mark, reach
from research.plots.palette import LIGHT
from research.plots.readable import fixed
from research.plots.style import (
  Look,
  limits,
  panel,
  score_label,
  settings,
  text_width,
)
from research.results import Row


def by_variant(
  rows: Sequence[Row],
  look: Mapping[str, Look],
  metric: str,
  best: Mapping[str, float],
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
    seeds = [value for row in rows for value in row.values]
    limits(axes.set_xlim, [*reach(rows), *seeds], metric)
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
  mark(axes, row, y, look, across=True)
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
