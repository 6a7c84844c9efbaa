"""Where a decoder looked in its source, with the true alignment outlined."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib import font_manager
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from research.plots import ramps
from research.plots.palette import LIGHT
from research.plots.style import SMALL, WIDTH, settings, text_width

FAMILIES = (
  "DejaVu Sans",
  "Noto Sans CJK SC",
  "Noto Sans SC",
  "WenQuanYi Zen Hei",
  "PingFang SC",
  "Hiragino Sans GB",
  "Microsoft YaHei",
)
"""The first comes with matplotlib; the others have Chinese characters."""

_LEAST = 5.0  # points between two labels of columns, so that each is read
_BELOW = 0.42  # inches, for two lines


def cross_attention(
  weights: Float[np.ndarray, "t s"],
  rows: Sequence[str],
  columns: Sequence[str],
  spans: Sequence[tuple[int, int]],
  title: str,
) -> Figure:
  """The weights as colours, a row for each token that was written.

  Args:
    weights: of each row over all columns.
    rows: what was written.
    columns: what was read.
    spans: of each row the first column that it should look at, and the one
      behind the last; empty if unknown.
    title: stands below.
  """
  count, wide = weights.shape
  rows, columns = list(map(shown, rows)), list(map(shown, columns))
  left = (max(map(text_width, _plain(rows))) + 22) / 72
  above = (max(map(text_width, _plain(columns))) + 8) / 72
  cell = (WIDTH - left - 0.1) / wide
  tall = count * min(max(cell, 0.11), 0.22)
  height = tall + above + _BELOW
  with settings():
    figure = Figure(figsize=(WIDTH, height))
    box = (left / WIDTH, _BELOW / height, cell * wide / WIDTH, tall / height)
    axes = figure.add_axes(box)
    shades = LinearSegmentedColormap.from_list("ramp", ramps.LIGHT["positive"])
    axes.imshow(
      weights, cmap=shades, vmin=0, aspect="auto", interpolation="nearest"
    )
    for i, (first, end) in enumerate(spans):
      if end > first:
        axes.add_patch(_outline(first, i, end - first))
    every = max(1, int(np.ceil(_LEAST / (72 * cell))))
    there = range(0, wide, every)
    fonts: Any = {"fontfamily": families(), "fontsize": SMALL}
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    axes.set_xticks(there, [columns[i] for i in there], **fonts)
    for label in axes.get_xticklabels():
      turned = len(label.get_text()) > 1
      label.set(rotation=90 * turned, va="bottom" if turned else "baseline")
    axes.set_yticks(range(count), rows, **fonts)
    outlined = "; outlined: the true alignment" if spans else ""
    axes.set_xlabel(f"source{outlined}\n{title}", loc="right")
    axes.set_ylabel("target")
  return figure


def _outline(first: int, row: int, wide: int) -> Rectangle:
  corner = (first - 0.5, row - 0.5)
  return Rectangle(
    corner,
    wide,
    1,
    fill=False,
    edgecolor=LIGHT["orange"],
    linewidth=1.2,
    clip_on=False,
  )


def shown(text: str) -> str:
  """The text; numbers of Unicode for characters that no font here has."""
  return "".join(
    letter if _known(letter) else f"U+{ord(letter):04X}" for letter in text
  )


@functools.cache
def families() -> list[str]:
  """The families that are installed."""
  installed = {font.name for font in font_manager.fontManager.ttflist}
  return [name for name in FAMILIES if name in installed]


@functools.cache
def _known(letter: str) -> bool:
  paths = (font_manager.findfont(name) for name in families())
  return any(
    font_manager.get_font(path).get_char_index(ord(letter)) for path in paths
  )


def _plain(texts: Sequence[str]) -> list[str]:
  """As wide as the texts, in letters that every font has."""
  return ["".join(c if c.isascii() else "M" for c in t) for t in texts]
