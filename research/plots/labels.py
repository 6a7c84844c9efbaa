"""Where labels stand so that they cover neither points nor each other."""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from research.plots.style import SMALL, text_width

Box = tuple[float, float, float, float]
"""Left, bottom, right, top, in points."""
Boxes = np.ndarray
"""Any number of them, [box 4]."""

HEIGHT = 1.15 * SMALL
"""Points: of a label."""
NEAR = 8.0
"""Points: up to here a label needs no line to what it names."""
DOTS = 8
"""A line is seen as so many dots."""


def apart(
  wanted: Sequence[float], gap: float, low: float, high: float
) -> list[float]:
  """Positions as near to the wanted ones as a gap between them allows.

  The order is kept. Where all do not fit between `low` and `high`, the gap
  shrinks. The sum of squared moves is the smallest possible: neighbours that
  touch form a block at their mean (pool adjacent violators).
  """
  order = sorted(range(len(wanted)), key=lambda i: wanted[i])
  if len(wanted) > 1:
    gap = min(gap, (high - low) / (len(wanted) - 1))
  blocks: list[list[float]] = []  # [sum of the starts, number]
  for rank, i in enumerate(order):
    blocks.append([wanted[i] - gap * rank, 1.0])
    while len(blocks) > 1 and _mean(blocks[-2]) > _mean(blocks[-1]):
      total, number = blocks.pop()
      blocks[-1][0] += total
      blocks[-1][1] += number
  starts = [_mean(block) for block in blocks for _ in range(int(block[1]))]
  places = [0.0] * len(wanted)
  last = gap * (len(wanted) - 1)
  for rank, i in enumerate(order):
    places[i] = min(max(starts[rank], low), high - last) + gap * rank
  return places


def _mean(block: list[float]) -> float:
  return block[0] / block[1]


def beside(
  points: Sequence[tuple[float, float]],
  texts: Sequence[str],
  frame: Box,
  taken: Sequence[Box] = (),
) -> list[Box]:
  """A box for each text near its point, inside the frame; all in points.

  Labels choose in turn, those in a crowd first, and then twice more, knowing
  where the others went. Each takes the box at the lowest price: what it and
  its line cover, what lies outside of the frame, and the distance.
  """
  if not points:
    return []
  at = np.asarray(points, float)
  crowd = [sum(math.dist(p, q) < 40 for q in points) for p in points]
  order = sorted(range(len(points)), key=lambda i: -crowd[i])
  offers = [
    _candidates(point, text_width(text))
    for point, text in zip(at, texts, strict=True)
  ]
  spots = np.concatenate([at - 3.6, at + 3.6], axis=1)
  filled = np.concatenate([spots, np.asarray(taken, float).reshape(-1, 4)])
  chosen: dict[int, Boxes] = {}
  for i in 3 * order:
    chosen.pop(i, None)
    none = np.zeros((0, 4))
    others = np.stack(list(chosen.values())) if chosen else none
    lines = [_line(at[j], box[None]) for j, box in chosen.items()]
    dots = np.concatenate([none, *(line.reshape(-1, 4) for line in lines)])
    boxes = offers[i]
    crossed = _covered(_line(at[i], boxes).reshape(-1, 4), others)
    price = (
      _distance(at[i], boxes)
      + 3 * (_area(boxes) - _covered(boxes, np.asarray([frame], float)))
      + 3 * _covered(boxes, filled)
      + 6 * _covered(boxes, others)
      + 4 * _covered(boxes, dots)
      + 4 * crossed.reshape(len(boxes), DOTS).sum(axis=1)
    )
    chosen[i] = boxes[price.argmin()]
  ends = (chosen[i].tolist() for i in range(len(points)))
  return [(x0, y0, x1, y1) for x0, y0, x1, y1 in ends]


def write(
  axes: Axes,
  point: tuple[float, float],
  box: Box,
  text: str,
  colour: str,
) -> None:
  """Writes a text into its box; a hair line leads to a point far away."""
  left, bottom, _, top = box
  where, boxes = np.asarray(point), np.asarray([box])
  if _distance(where, boxes)[0] > NEAR:
    hair(axes, _nearest(where, boxes)[0], point, colour, (0.5, 3.5))
  put(axes, (left, (bottom + top) / 2), text)


def hair(
  axes: Axes,
  begin: Any,
  end: Any,
  colour: str,
  short: tuple[float, float] = (0, 0),
) -> None:
  """A hair line, `short` of its two ends (x, y); all in points."""
  axes.annotate(
    "",
    xy=end,
    xytext=begin,
    xycoords="figure points",
    textcoords="figure points",
    arrowprops={
      "arrowstyle": "-",
      "linewidth": 0.5,
      "color": colour,
      "shrinkA": short[0],
      "shrinkB": short[1],
    },
  )


def put(axes: Axes, left: tuple[float, float], text: str) -> None:
  """A text, from the middle of its left edge on; in points."""
  axes.annotate(
    text,
    xy=left,
    xycoords="figure points",
    fontsize=SMALL,
    va="center_baseline",
    annotation_clip=False,
  )


def at_right(
  axes: Axes,
  ends: Mapping[str, tuple[int | float, int | float]],
  colours: Mapping[str, str],
  markers: Mapping[str, str] = MappingProxyType({}),
) -> None:
  """Texts in the right margin, led to from where their lines end (data).

  Those that have a marker in `markers` are named by it, without a line.
  """
  _, bottom = axes.transAxes.transform((0, 0))
  right, top = axes.transAxes.transform((1, 1))
  points = [axes.transData.transform(end) for end in ends.values()]
  places = apart([float(y) for _, y in points], HEIGHT, bottom, top)
  for text, (x, y), place in zip(ends, points, places, strict=True):
    if text in markers:
      key(axes, (right + 6, place), markers[text], colours[text])
    else:
      hair(axes, (right + 10, place), (x + 3, y), colours[text])
    put(axes, (right + 12, place), text)


def key(
  axes: Axes, where: tuple[float, float], marker: str, colour: str
) -> None:
  """A marker outside the axes; in points."""
  axes.plot(
    *([end / 72] for end in where),  # inches
    marker=marker,
    color=colour,
    markersize=3,
    transform=axes.figure.dpi_scale_trans,
    clip_on=False,
  )


def _line(point: np.ndarray, boxes: Boxes) -> np.ndarray:
  """Small boxes [box DOTS 4] along the lines to far boxes; empty to near."""
  end = _nearest(point, boxes)
  parts = (np.arange(DOTS) + 0.5)[None, :, None] / DOTS
  middle = point + parts * (end - point)[:, None, :]
  reach = np.where(_distance(point, boxes) > NEAR, 1.5, 0.0)[:, None, None]
  return np.concatenate([middle - reach, middle + reach], axis=2)


def _candidates(point: np.ndarray, width: float) -> Boxes:
  """All around the point, near and far."""
  reach = np.repeat([6, 8, 12, 17, 23, 30, 38, 47, 57], 24)
  angle = np.tile(2 * np.pi * np.arange(24) / 24, 9)
  x = point[0] + reach * np.cos(angle) - width * (1 - np.cos(angle)) / 2
  y = point[1] + reach * np.sin(angle) - HEIGHT * (1 - np.sin(angle)) / 2
  return np.stack([x, y, x + width, y + HEIGHT], axis=1)


def _area(boxes: Boxes) -> np.ndarray:
  return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def _covered(boxes: Boxes, others: Boxes) -> np.ndarray:
  """How much of the others each box covers."""
  low = np.maximum(boxes[:, None, :2], others[None, :, :2])
  high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
  return np.maximum(high - low, 0).prod(axis=2).sum(axis=1)


def _nearest(point: np.ndarray, boxes: Boxes) -> np.ndarray:
  return np.clip(point, boxes[:, :2], boxes[:, 2:])


def _distance(point: np.ndarray, boxes: Boxes) -> np.ndarray:
  return np.hypot(*(_nearest(point, boxes) - point).T)
