"""Learning curves: the validation score against the step."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from research.plots.palette import LIGHT
from research.plots.readable import rate, short
from research.plots.style import (
  SMALL,
  WIDTH,
  Look,
  limits,
  score_label,
  settings,
  text_width,
)

COLUMNS = 2
LEFT, RIGHT, BOTTOM, TOP = 0.47, 0.1, 0.4, 0.2
"""Inches around all panels."""
HEIGHT, ACROSS, DOWN = 0.78, 0.2, 0.26
"""Inches: of a panel, and between panels."""


@dataclasses.dataclass(frozen=True)
class Curve:
  """One member: what its validation examples said, step by step.

  Attributes:
    steps: at which it was evaluated.
    scores: of the same length.
    status: at its end: "running", "reached", "diverged" or "finished".
  """

  steps: tuple[int, ...]
  scores: tuple[float, ...]
  status: str


def panels(
  curves: Mapping[str, Sequence[Curve]],
  rates: Mapping[str, float],
  look: Mapping[str, Look],
  metric: str,
) -> Figure:
  """A small panel for each variant; the others' means in grey behind.

  Thin: seeds; thick: their mean. A dot ends a seed that reached the target
  and stopped, a cross one that diverged: from there on there is no mean.

  Args:
    curves: variant → one curve a seed, at the chosen learning rate.
    rates: the chosen learning rates.
    look: of every variant.
    metric: the name of the score.
  """
  rows = math.ceil(len(curves) / COLUMNS)
  height = TOP + BOTTOM + rows * HEIGHT + (rows - 1) * DOWN
  means = {name: mean(members) for name, members in curves.items()}
  with settings():
    figure = Figure(figsize=(WIDTH, height))
    first: Axes | None = None
    for i, (name, members) in enumerate(curves.items()):
      box = _box(i, height)
      axes = figure.add_axes(box, sharex=first, sharey=first)
      first = first or axes
      for other, line in means.items():
        if other != name:
          axes.plot(*line, color=LIGHT["line"], linewidth=0.8)
      _members(axes, members, means[name], look[name])
      _title(axes, name, rates.get(name, math.nan))
      axes.tick_params(
        labelleft=i % COLUMNS == 0, labelbottom=i + COLUMNS >= len(curves)
      )
    if first is not None:
      _axes(first, curves, metric)
    _names(figure, metric, height)
    return figure


def mean(
  members: Sequence[Curve],
) -> tuple[Float[np.ndarray, " step"], Float[np.ndarray, " step"]]:
  """Steps, and the mean over the members at each.

  A member that stopped keeps its last score; one that diverged has none from
  there on, and then there is no mean. Between evaluations a score stays.
  """
  steps = np.array(sorted({s for member in members for s in member.steps}))
  rows = []
  for member in members:
    at = np.searchsorted(member.steps, steps, side="right") - 1
    scores = np.array([*member.scores, math.nan])  # index -1: before its first
    row = scores[at]
    if member.status == "diverged" and member.steps:
      row = np.where(steps >= member.steps[-1], math.nan, row)
    rows.append(row)
  total = np.mean(rows, axis=0) if rows else np.array([])
  return steps.astype(float), total


def _box(i: int, height: float) -> tuple[float, float, float, float]:
  row, column = divmod(i, COLUMNS)
  width = (WIDTH - LEFT - RIGHT - (COLUMNS - 1) * ACROSS) / COLUMNS
  top = height - TOP - row * (HEIGHT + DOWN)
  return (
    (LEFT + column * (width + ACROSS)) / WIDTH,
    (top - HEIGHT) / height,
    width / WIDTH,
    HEIGHT / height,
  )


def _members(
  axes: Axes,
  members: Sequence[Curve],
  middle: tuple[np.ndarray, np.ndarray],
  look: Look,
) -> None:
  for member in members:
    axes.plot(
      member.steps, member.scores, color=look.colour, linewidth=0.6, alpha=0.6
    )
    known = [
      (step, score)
      for step, score in zip(member.steps, member.scores, strict=True)
      if math.isfinite(score)
    ]
    marker = {"reached": "o", "diverged": "x"}.get(member.status)
    if known and marker:
      axes.plot(
        *known[-1],
        marker=marker,
        markersize=2.4 if marker == "o" else 4.5,
        color=look.colour,
        clip_on=False,
      )
  axes.plot(*middle, color=look.colour, linewidth=1.6)


def _title(axes: Axes, name: str, chosen: float) -> None:
  axes.set_title(name, fontsize=SMALL + 0.5)
  text = f"rate {rate(chosen)}"
  room = axes.get_position().width * WIDTH * 72
  if text_width(name, SMALL + 0.5) + text_width(text, SMALL - 0.5) + 6 < room:
    axes.set_title(text, loc="right", fontsize=SMALL - 0.5, color=LIGHT["soft"])


def _axes(
  axes: Axes, curves: Mapping[str, Sequence[Curve]], metric: str
) -> None:
  """Limits and ticks, which all panels share."""
  every = [curve for members in curves.values() for curve in members]
  scores = [score for curve in every for score in curve.scores]
  limits(axes.set_ylim, scores, metric)
  last = max((step for curve in every for step in curve.steps), default=1)
  axes.set_xlim(0, last * 1.02)
  axes.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
  axes.yaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
  axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: short(x)))


def _names(figure: Figure, metric: str, height: float) -> None:
  middle = (LEFT + (WIDTH - RIGHT)) / 2 / WIDTH
  figure.text(middle, 0.09 / height, "training step", ha="center", fontsize=8)
  figure.text(
    0.1 / WIDTH,
    (BOTTOM + (height - TOP)) / 2 / height,
    score_label(metric, "validation"),
    rotation=90,
    ha="center",
    va="center",
    fontsize=8,
  )
