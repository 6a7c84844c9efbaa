"""What grows with the length, drawn from the numbers of mixers timed alone."""

import math
import types
from collections.abc import Mapping
from typing import Any

from research.experiment import (
  BYTES,
  BYTES_EXPONENT,
  MILLISECONDS,
  TIME_EXPONENT,
  Experiment,
)
from research.plots.readable import fixed
from research.report.document import Picture
from research.report.length_account import span
from research.report.length_tables import at
from research.results import Summary

CAPTIONS = {
  "time": (
    "Time of a call against length",
    "Output and gradients, mean over rounds with its 95% interval.",
  ),
  "memory": (
    "Temporary memory of a call against length",
    "As the compiler counts it, without inputs, outputs and parameters.",
  ),
}
"""Figure → its title, and how to read it."""

_AXES = {
  "time": (MILLISECONDS, TIME_EXPONENT, "time of a call (ms, log scale)"),
  "memory": (BYTES, BYTES_EXPONENT, "temporary memory (bytes, log scale)"),
}
"""Figure → what it shows, its exponent, and the axis with its unit."""


def figures(
  experiment: Experiment, summary: Summary, plots: types.SimpleNamespace
) -> dict[str, Any]:
  """Name → matplotlib Figure: time, and memory, against length."""
  drawn = {}
  for name, (metric, power, axis) in _AXES.items():
    lines, ends = {}, {}
    for variant in experiment.names():
      found = (
        (length, at(summary, variant, length, metric))
        for length in experiment.lengths
      )
      lines[variant] = [(n, row) for n, row in found if row is not None]
      fit = summary.find(variant, metric=power)
      slope = math.nan if fit is None else fit.mean
      ends[variant] = f"{variant} {fixed(slope, 2)}"
    look = plots.style.looks(experiment.names())
    drawn[name] = plots.growth.against_length(lines, axis, look, ends)
  return drawn


def pictures(
  experiment: Experiment,
  summary: Summary,
  files: Mapping[str, str],
  plots: types.SimpleNamespace,
) -> tuple[Picture, ...]:
  """The figures with captions, and with words for who cannot see them."""
  made = []
  for name, text in files.items():
    title, reading = CAPTIONS[name]
    found = (
      (variant, summary.find(variant, metric=_AXES[name][1]))
      for variant in experiment.names()
    )
    said = ", ".join(
      f"{variant} {fixed(row.mean, 2)}" for variant, row in found if row
    )
    made.append(
      Picture(
        name,
        plots.style.inline(text, name),
        f"{title}. {reading} Behind each name: the power of the length, "
        f"fitted {span(experiment)}.",
        f"Figure: {title}. Exponents: {said}.",
      )
    )
  return tuple(made)
