"""How figures look: sizes, fonts, and looks that tell variants apart.

A look is a colour, a marker and a line style, so that figures can be read in
grey too. Files do not change from run to run: no date, no random ids.
"""

import contextlib
import dataclasses
import io
import math
import pathlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.textpath import TextPath

from research.plots.palette import LIGHT, SERIES

WIDTH = 3.6
"""Inches: one column of a paper, and readable across a phone."""
SIZE, SMALL = 8.0, 7.0
"""Points: of the text on axes, and of labels and ticks."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h")
LINES: tuple[Any, ...] = (
  "-",
  (0, (5, 1.5)),
  (0, (1.2, 1.2)),
  (0, (6, 1.5, 1.2, 1.5)),
  (0, (3, 1)),
  (0, (6, 1.2, 1.2, 1.2, 1.2, 1.2)),
  (0, (9, 2)),
)

_UNITS = {
  "accuracy": "share right",
  "slope": "powers of ten",
  "initial_slope": "powers of ten",
  "gradient": "powers of ten",
  "initial_gradient": "powers of ten",
  "error_rate": "edits per token",
  "sequence_accuracy": "share right",
  "alignment": "share of weights",
  "initial_alignment": "share of weights",
  "monotonicity": "share of tokens",
  "initial_monotonicity": "share of tokens",
}
"""Metric → its unit; that of a squared error is the task's, squared."""

SETTINGS: Any = {
  "font.family": "DejaVu Sans",  # comes with matplotlib: equal everywhere
  "font.size": SMALL,
  "axes.labelsize": SIZE,
  "axes.titlesize": SIZE,
  "axes.titlelocation": "left",
  "axes.titlepad": 4.0,
  "axes.labelpad": 3.0,
  "axes.linewidth": 0.6,
  "axes.spines.top": False,
  "axes.spines.right": False,
  "axes.axisbelow": True,
  "axes.edgecolor": LIGHT["soft"],
  "axes.labelcolor": LIGHT["ink"],
  "axes.facecolor": "none",
  "figure.facecolor": LIGHT["card"],
  "figure.dpi": 72,  # a pixel is a point, which the placing of labels uses
  "grid.color": LIGHT["line"],
  "grid.linewidth": 0.5,
  "lines.linewidth": 1.3,
  "lines.markersize": 4.0,
  "text.color": LIGHT["ink"],
  "xtick.color": LIGHT["soft"],
  "xtick.labelcolor": LIGHT["ink"],
  "xtick.major.size": 2.5,
  "xtick.major.width": 0.6,
  "xtick.minor.size": 1.5,
  "xtick.minor.width": 0.4,
  "ytick.color": LIGHT["soft"],
  "ytick.labelcolor": LIGHT["ink"],
  "ytick.major.size": 2.5,
  "ytick.major.width": 0.6,
  "svg.hashsalt": "mixerlab",
  "svg.fonttype": "path",
  "pdf.fonttype": 42,
}


@dataclasses.dataclass(frozen=True)
class Look:
  """How one variant is drawn in every figure."""

  colour: str
  marker: str
  line: Any


def looks(names: Sequence[str]) -> dict[str, Look]:
  """A look for every name, by its place; no two of the first 77 are equal."""
  return {
    name: Look(
      LIGHT[SERIES[i % len(SERIES)]],
      MARKERS[i % len(MARKERS)],
      LINES[i % len(LINES)],
    )
    for i, name in enumerate(names)
  }


@contextlib.contextmanager
def settings() -> Iterator[None]:
  """The settings in which figures are drawn and written, whatever were."""
  with matplotlib.rc_context():
    matplotlib.rcdefaults()
    matplotlib.rcParams.update(SETTINGS)
    yield


def panel(
  height: float, left: float, right: float, top: float = 0.12
) -> tuple[Figure, Axes]:
  """A figure with one plot, its margins in inches."""
  bottom = 0.4
  figure = Figure(figsize=(WIDTH, height))
  box = (
    left / WIDTH,
    bottom / height,
    (WIDTH - left - right) / WIDTH,
    (height - bottom - top) / height,
  )
  return figure, figure.add_axes(box)


def text_width(text: str, size: float = SMALL) -> float:
  """The width of a text in points."""
  return float(TextPath((0, 0), text, size=size).get_extents().width)


def score_label(metric: str, kind: str) -> str:
  """The name of a score with its unit, for an axis."""
  unit = _UNITS.get(metric, "squared units")
  return f"{kind} {metric.replace('_', ' ')} ({unit})"


def limits(
  set_limits: Callable[[float, float], Any],
  values: Iterable[int | float],
  metric: str,
) -> None:
  """From 0 to 1 for accuracies; else as far as the values reach."""
  if _UNITS.get(metric, "").startswith("share"):
    set_limits(-0.02, 1.02)
    return
  known = [value for value in values if math.isfinite(value)]
  low, high = min(known, default=0.0), max(known, default=1.0)
  margin = 0.06 * (high - low) or 0.5
  set_limits(low - margin, high + margin)


def save(figure: Figure, folder: pathlib.Path, name: str) -> str:
  """Writes `name`.svg, .pdf and .png (300 dots per inch); returns the SVG."""
  text = svg(figure)
  (folder / f"{name}.svg").write_text(text)
  dates: dict[str, dict[str, Any]] = {
    "pdf": {"CreationDate": None},
    "png": {"Software": None},
  }
  with settings():
    for kind, metadata in dates.items():
      path = folder / f"{name}.{kind}"
      figure.savefig(path, dpi=300, format=kind, metadata=metadata)
  return text


def svg(figure: Figure) -> str:
  """The figure as an SVG file: equal figures give equal text."""
  file = io.StringIO()
  with settings():
    figure.savefig(file, format="svg", metadata={"Date": None})
  lines = (line.rstrip() for line in file.getvalue().splitlines())
  return "\n".join(lines) + "\n"


def inline(text: str, name: str) -> str:
  """An SVG file made here as an element of a page, in the colours of the page.

  Ids begin with `name`, as those of several figures share one page; colours
  of the palette become `var(--name, #light)`; the paper is left out.
  """
  text = text[text.index("<svg") :]
  text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
  text = re.sub(r'<g id="patch_1">.*?</g>', "", text, count=1, flags=re.DOTALL)
  text = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", text)
  text = re.sub(r'(<svg\b[^>]*?)\s(?:width|height)="[^"]*"', r"\1", text)
  text = re.sub(r'(<svg\b[^>]*?)\s(?:width|height)="[^"]*"', r"\1", text)
  text = text.replace("xlink:href=", "href=")
  text = re.sub(r'\bid="', f'id="{name}-', text)
  text = re.sub(r'href="#', f'href="#{name}-', text)
  text = re.sub(r"url\(#", f"url(#{name}-", text)
  for colour, value in LIGHT.items():
    text = text.replace(f": {value}", f": var(--{colour}, {value})")
  return text
