"""`mixerlab bench recurrence`: LSTM and GRU beside their peers, in turn."""

import importlib.util
import statistics
from collections.abc import Callable, Mapping, Sequence

Rounds = Mapping[tuple[str, str], Sequence[float]]
"""Calls a second of every contender (name, length), round by round."""

LENGTH = "256"
CELLS = {"lstm": "LSTM", "gru": "GRU"}
_NAMES = {
  "ours": "mixerlab",
  "flax": "flax.linen.RNN",
  "torch": "PyTorch",
}


def tables(
  rates: Callable[[list[tuple[str, str]]], Rounds],
) -> tuple[str, dict[str, dict[str, list[float]]]]:
  """The table as text, and the rounds behind it.

  Args:
    rates: runs contenders in turn and gives their rates.
  """
  names = [name for name in _NAMES if name != "torch" or _has_torch()]
  found: dict[tuple[str, str], Sequence[float]] = {}
  for cell in CELLS:
    found |= rates([(f"recurrence-{name}-{cell}", LENGTH) for name in names])
  data = {name: {length: [*own]} for (name, length), own in found.items()}
  return _speed(found, names), data


def _speed(found: Rounds, names: list[str]) -> str:
  """Times of each, and how many times as long as its peers ours takes."""
  width = max(map(len, _NAMES.values()))
  lines = [
    "Recurrences forward and backward (float32, batch 64, length 256, width "
    "128)"
  ]
  for cell, title in CELLS.items():
    lines.append(f"  {title:{width}}{'ms':>9}{'mixerlab / row':>17}")
    ours = found[f"recurrence-ours-{cell}", LENGTH]
    for name in names:
      own = found[f"recurrence-{name}-{cell}", LENGTH]
      ratio = statistics.median(
        theirs / mine for theirs, mine in zip(own, ours, strict=True)
      )
      time = 1000 / statistics.median(own)
      lines.append(f"  {_NAMES[name]:{width}}{time:9.1f}{ratio:>16.2f}×")
  lines.append("  The last column: our time over that of the row.")
  return "\n".join(lines) + "\n"


def _has_torch() -> bool:
  return importlib.util.find_spec("torch") is not None
