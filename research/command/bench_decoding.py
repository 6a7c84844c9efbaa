"""`mixerlab bench decoding`: greedy decoding beside its peer, in turn."""

import statistics
from collections.abc import Callable, Sequence

from research.bench import decoding
from research.bench.device import has_torch
from research.command.bench_tables import Data, Rounds, plain, ratio

BATCHES = ("1", "16")
KINDS = {
  "decoder": "decoder alone",
  "pair": "encoder and decoder",
}
_NAMES = {
  "ours": "mixerlab",
  "torch": "PyTorch, cache set apart beforehand",
  "single": "PyTorch, the same with one thread",
}
_PEERS = ("torch", "single")


def tables(
  rates: Callable[[list[tuple[str, str]]], Rounds],
) -> tuple[str, Data]:
  """The table as text, and the rounds behind it.

  Args:
    rates: runs contenders in turn and gives their rates.
  """
  found: dict[tuple[str, str], Sequence[float]] = {}
  for kind in KINDS:
    timed = ["ours", *(_PEERS if has_torch() else ())]
    for batch in BATCHES:
      found |= rates([(f"decoding-{name}-{kind}", batch) for name in timed])
    compiled = [(f"decoding-compiled-{kind}", batch) for batch in BATCHES]
    found |= rates(compiled)
  return _speed(found), plain(found)


def _speed(found: Rounds) -> str:
  """Tokens a second of each, and how often those of its peers ours are."""
  width = max(map(len, _NAMES.values()))
  lines = [
    f"Greedy decoding (float32, {decoding.LAYERS} layers, width "
    f"{decoding.WIDTH}, {decoding.HEADS} heads, vocabulary "
    f"{decoding.VOCABULARY}, {decoding.TOKENS} tokens; source "
    f"{decoding.SOURCE})"
  ]
  for kind, title in KINDS.items():
    for batch in BATCHES:
      head = f"{title}, batch {batch}"
      lines.append(f"  {head:{width}}{'tokens/s':>10}{'mixerlab / row':>17}")
      ours = found[f"decoding-ours-{kind}", batch]
      for name, label in _NAMES.items():
        own = found.get((f"decoding-{name}-{kind}", batch))
        lines.append(f"  {label:{width}}{_row(ours, own)}")
      second = 1 / statistics.median(found[f"decoding-compiled-{kind}", batch])
      lines.append(f"  one compilation: {second:.1f} s")
  lines.append("  The last column: our tokens a second over those of the row.")
  return "\n".join(lines) + "\n"


def _row(ours: Sequence[float], own: Sequence[float] | None) -> str:
  if own is None:
    return f"{'-':>10}{'-':>17}"
  return f"{statistics.median(own):>10,.0f}{ratio(ours, own):>16.2f}×"
