"""What grows with the length, drawn from the numbers of mixers timed alone."""

import math
import types
from collections.abc import Mapping
from typing import Any

from research.experiment import (
  BYTES,
  BYTES_EXPONENT,
  GENERATION_EXPONENT,
  MICROSECONDS,
  MILLISECONDS,
  STATE_BYTES,
  TIME_EXPONENT,
  Experiment,
)
from research.plots.readable import fixed, short
from research.report.document import Picture
from research.report.length_account import span
from research.report.length_tables import at
from research.results import Summary

CAPTIONS = {
  "time": (
    "Time of a call against length",
    "Output and gradients, mean over rounds with its 95% interval.",
  ),
  "generation": (
    "Time of a generated token against length",
    "One token after so many, mean over rounds with its 95% interval.",
  ),
  "memory": (
    "Temporary memory of a call against length",
    "As the compiler counts it, without inputs, outputs and parameters.",
  ),
  "state": (
    "State against length",
    "What a sequence of this length carries to its next token, counted.",
  ),
}
"""Figure → its title, and how to read it."""

_AXES = {
  "time": (MILLISECONDS, TIME_EXPONENT, "time of a call (ms, log scale)"),
  "generation": (
    MICROSECONDS, GENERATION_EXPONENT, "time of a token (µs, log scale)",
  ),
  "memory": (BYTES, BYTES_EXPONENT, "temporary memory (bytes, log scale)"),
  "state": (STATE_BYTES, "", "state (bytes, log scale)"),
}  # fmt: skip
"""Figure → what it shows, its exponent, and the axis with its unit."""


def figures(
  experiment: Experiment, summary: Summary, plots: types.SimpleNamespace
) -> dict[str, Any]:
  """Name → matplotlib Figure: what was measured, against length."""
  drawn = {}
  for name, (metric, _, axis) in _AXES.items():
    lines, ends = {}, {}
    for variant in experiment.names():
      found = (
        (length, at(summary, variant, length, metric))
        for length in experiment.lengths
      )
      line = [(n, row) for n, row in found if row is not None]
      if line:
        lines[variant] = line
        ends[variant] = f"{variant} {_behind(summary, variant, name)}"
    look = plots.style.looks(experiment.names())
    if lines:
      drawn[name] = plots.growth.against_length(lines, axis, look, ends)
  return drawn


def _behind(summary: Summary, variant: str, name: str) -> str:
  """What stands behind a variant's name: its power, or its last number."""
  metric, power, _ = _AXES[name]
  if power:
    fit = summary.find(variant, metric=power)
    return fixed(math.nan if fit is None else fit.mean, 2)
  *_, last = (
    row.mean
    for row in summary.rows
    if (row.variant, row.metric) == (variant, metric)
  )
  return short(last)


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
    metric, power, _ = _AXES[name]
    variants = {row.variant for row in summary.rows if row.metric == metric}
    said = ", ".join(
      f"{variant} {_behind(summary, variant, name)}"
      for variant in experiment.names()
      if variant in variants
    )
    behind, kind = (
      (f"the power of the length, fitted {span(experiment)}", "Exponents")
      if power
      else ("the bytes at the longest", "Bytes at the longest")
    )
    made.append(
      Picture(
        name,
        plots.style.inline(text, name),
        f"{title}. {reading} Behind each name: {behind}.",
        f"Figure: {title}. {kind}: {said}.",
      )
    )
  return tuple(made)
