"""Whether two runs of one experiment agree: a function of their numbers."""

import dataclasses
import math
from typing import Any, Literal

import numpy as np

from research.experiment import COUNTS, TIMES
from research.results import Row, Summary
from research.statistics.comparison import holm, welch

FAMILY_WISE = 0.01
"""The chance that an unchanged program is told to differ anywhere."""

MACHINE = (
  "python", "platform", "processor", "cores", "jax", "jaxlib", "flax", "optax",
  "numpy", "mixerlab", "backend", "device", "devices", "xla_flags", "mixed",
)  # fmt: skip
"""What has to be the same for values to be equal, in `environment.json`."""

_COSTS = (*TIMES, *COUNTS)
"""The metrics that say nothing about another machine."""

_EXACT = (
  "values", "learning_rate", "steps", "parameters", "state_size",
  "flops_per_example",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Difference:
  """One thing in which a new run differs from the reference."""

  kind: Literal["value", "row", "verdict"]
  where: str
  text: str


def other_machine(reference: dict[str, Any], new: dict[str, Any]) -> list[str]:
  """What differs between two environments, as "jax 0.10.2 is now 0.12.0"."""
  return [
    f"{name} {reference.get(name)} is now {new.get(name)}"
    for name in MACHINE
    if (reference.get(name) or "") != (new.get(name) or "")
  ]


def compare(
  reference: Summary, new: Summary, *, same_machine: bool
) -> list[Difference]:
  """The differences that no chance explains.

  On the same machine, versions and code values are equal, bit for bit.
  Elsewhere the values of each row are compared by Welch's test,
  Holm-corrected over all rows at 1 % family-wise. Rows without a test (a
  single seed, a value that is not finite) are left to the reader
  (`untested`). A verdict has flipped if it held and is now refuted, or the
  other way round. What a run cost in seconds and bytes is not compared, nor
  are verdicts on costs; but rows of bytes are values like others on the same
  machine.
  """
  without = TIMES if same_machine else _COSTS
  theirs = {_key(row): row for row in _but(reference, without)}
  ours = {_key(row): row for row in _but(new, without)}
  differences = [
    Difference("row", _name(key), "is missing in the " + side)
    for key in {**theirs, **ours}
    for side, rows in (("new run", ours), ("reference", theirs))
    if key not in rows
  ]
  pairs = [(row, ours[key]) for key, row in theirs.items() if key in ours]
  differences += _unequal(pairs) if same_machine else _unlikely(pairs)
  return differences + _flipped(reference, new)


def untested(reference: Summary, new: Summary) -> list[str]:
  """The names of the rows that Welch's test can say nothing about."""
  ours = {_key(row): row for row in new.rows}
  return [
    _name(_key(row))
    for row in _but(reference, _COSTS)
    if _key(row) in ours and math.isnan(_p_value(row, ours[_key(row)]))
  ]


def _but(summary: Summary, metrics: tuple[str, ...]) -> list[Row]:
  """The rows without those of some metrics."""
  return [row for row in summary.rows if row.metric not in metrics]


def _unequal(pairs: list[tuple[Row, Row]]) -> list[Difference]:
  differences = []
  for theirs, ours in pairs:
    for name in _EXACT:
      old, new = getattr(theirs, name), getattr(ours, name)
      if repr(old) != repr(new):  # NaN equals NaN
        text = f"{name} {_shown(old)} is now {_shown(new)}"
        differences.append(Difference("value", _name(_key(theirs)), text))
  return differences


def _unlikely(pairs: list[tuple[Row, Row]]) -> list[Difference]:
  adjusted = holm(np.array([_p_value(old, new) for old, new in pairs], float))
  return [
    Difference(
      "value",
      _name(_key(old)),
      f"mean {old.mean:.4g} is now {new.mean:.4g} (adjusted p = {p:.2g})",
    )
    for (old, new), p in zip(pairs, adjusted, strict=True)
    if p < FAMILY_WISE
  ]


def _p_value(theirs: Row, ours: Row) -> float:
  return welch(np.asarray(theirs.values), np.asarray(ours.values))


def _flipped(reference: Summary, new: Summary) -> list[Difference]:
  now = {row.claim: row.verdict for row in new.verdicts}
  return [
    Difference("verdict", row.claim, f"{row.verdict} is now {now[row.claim]}")
    for row in reference.verdicts
    if row.unit == "seed"
    and {row.verdict, now.get(row.claim)} == {"holds", "refuted"}
  ]


def _key(row: Row) -> tuple[str, str, str, str]:
  return (row.variant, row.task, row.slice, row.metric)


def _name(key: tuple[str, str, str, str]) -> str:
  return " ".join(key)


def _shown(value: Any) -> str:
  if isinstance(value, tuple):
    return f"({', '.join(map(_shown, value))})"
  return f"{value:.9g}" if isinstance(value, float) else str(value)
