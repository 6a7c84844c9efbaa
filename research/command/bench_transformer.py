"""`mixerlab bench transformer`: a training step, and deep compilation."""

import statistics
from collections.abc import Callable, Sequence

from research.bench import transformer
from research.command.bench_tables import Data, Rounds, has_torch, plain, ratio

BATCH = str(transformer.BATCH)
_NAMES = {"ours": "mixerlab", "torch": "torch.nn.Transformer"}
_DEPTHS = (("scanned", "8"), ("scanned", "64"), ("unrolled", "8"))


def tables(
  rates: Callable[[list[tuple[str, str]]], Rounds],
) -> tuple[str, Data]:
  """The tables as text, and the rounds behind them.

  Args:
    rates: runs contenders in turn and gives their rates.
  """
  names = [name for name in _NAMES if name != "torch" or has_torch()]
  found: dict[tuple[str, str], Sequence[float]] = {}
  found |= rates([(f"transformer-{name}", BATCH) for name in names])
  found |= rates([(f"transformer-{depth}", of) for depth, of in _DEPTHS])
  return _steps(found) + "\n" + _compilation(found), plain(found)


def _steps(found: Rounds) -> str:
  """Times of each, and how many times as long as its peer ours takes."""
  width = max(map(len, _NAMES.values()))
  ours = found["transformer-ours", BATCH]
  layers, length = transformer.LAYERS, transformer.LENGTH
  lines = [
    f"A training step of {layers} + {layers} layers (float32, width "
    f"{transformer.WIDTH}, {transformer.HEADS} heads, source {length - 1}, "
    f"target {length}, batch {BATCH}, vocabulary {transformer.SYMBOLS})",
    f"  {'':{width}}{'ms':>9}{'mixerlab / row':>17}",
  ]
  for name, label in _NAMES.items():
    own = found.get((f"transformer-{name}", BATCH))
    if own is None:
      lines.append(f"  {label:{width}}{'-':>9}{'-':>17}")
      continue
    time = 1000 / statistics.median(own)
    longer = ratio(own, ours)  # of steps a second
    lines.append(f"  {label:{width}}{time:9.1f}{longer:>16.2f}×")
  lines.append("  The last column: our time over that of the row.")
  return "\n".join(lines) + "\n"


def _compilation(found: Rounds) -> str:
  """Seconds of each depth beside those of 8 scanned layers."""
  least = found["transformer-scanned", "8"]
  lines = [
    "Compilation of a step, from tracing on (decoder alone, width "
    f"{transformer.WIDTH})",
    f"  {'layers':>8}  {'':8}{'s':>9}{'× 8 scanned':>14}",
  ]
  for depth, of in _DEPTHS:
    own = found[f"transformer-{depth}", of]
    time = 1 / statistics.median(own)
    longer = ratio(least, own)  # of compilations a second
    lines.append(f"  {of:>8}  {depth:8}{time:9.2f}{longer:>13.2f}×")
  return "\n".join(lines) + "\n"
