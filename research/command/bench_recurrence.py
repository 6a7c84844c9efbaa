"""`mixerlab bench recurrence`: LSTM and GRU beside their peers, in turn."""

import statistics
from collections.abc import Callable, Sequence

from research.bench import recurrence
from research.bench.device import has_torch
from research.command.bench_tables import Data, Rounds, plain, ratio

LENGTH = "256"
CELLS = {"lstm": "LSTM", "gru": "GRU"}
_NAMES = {
  "ours": "mixerlab",
  "flax": "flax.linen.RNN",
  "torch": "PyTorch",
}


def tables(
  rates: Callable[[list[tuple[str, str]]], Rounds],
) -> tuple[str, Data]:
  """The table as text, and the rounds behind it.

  Args:
    rates: runs contenders in turn and gives their rates.
  """
  names = [name for name in _NAMES if name != "torch" or has_torch()]
  found: dict[tuple[str, str], Sequence[float]] = {}
  for cell in CELLS:
    found |= rates([(f"recurrence-{name}-{cell}", LENGTH) for name in names])
  return _speed(found, names), plain(found)


def _speed(found: Rounds, names: list[str]) -> str:
  """Times of each, and how many times as long as its peers ours takes."""
  width = max(map(len, _NAMES.values()))
  lines = [
    f"Recurrences forward and backward (float32, batch {recurrence.BATCH}, "
    f"length {LENGTH}, width {recurrence.WIDTH})"
  ]
  for cell, title in CELLS.items():
    lines.append(f"  {title:{width}}{'ms':>9}{'mixerlab / row':>17}")
    ours = found[f"recurrence-ours-{cell}", LENGTH]
    for name in names:
      own = found[f"recurrence-{name}-{cell}", LENGTH]
      time = 1000 / statistics.median(own)
      longer = ratio(own, ours)  # of calls a second
      lines.append(f"  {_NAMES[name]:{width}}{time:9.1f}{longer:>16.2f}×")
  lines.append("  The last column: our time over that of the row.")
  return "\n".join(lines) + "\n"
