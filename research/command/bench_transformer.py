"""`mixerlab bench transformer`: a training step, and deep compilation."""

import importlib.util
import statistics
from collections.abc import Callable, Mapping, Sequence

Rounds = Mapping[tuple[str, str], Sequence[float]]
"""Steps, or compilations, a second of every contender (name, batch or layers),
round by round."""

BATCH = "16"
_NAMES = {"ours": "mixerlab", "torch": "torch.nn.Transformer"}
_DEPTHS = (("scanned", "8"), ("scanned", "64"), ("unrolled", "8"))


def tables(
  rates: Callable[[list[tuple[str, str]]], Rounds],
) -> tuple[str, dict[str, dict[str, list[float]]]]:
  """The tables as text, and the rounds behind them.

  Args:
    rates: runs contenders in turn and gives their rates.
  """
  names = [name for name in _NAMES if name != "torch" or _has_torch()]
  found: dict[tuple[str, str], Sequence[float]] = {}
  found |= rates([(f"transformer-{name}", BATCH) for name in names])
  found |= rates([(f"transformer-{depth}", of) for depth, of in _DEPTHS])
  data: dict[str, dict[str, list[float]]] = {}
  for (name, of), own in found.items():
    data.setdefault(name, {})[of] = [*own]
  return _steps(found) + "\n" + _compilation(found), data


def _steps(found: Rounds) -> str:
  """Times of each, and how many times as long as its peer ours takes."""
  width = max(map(len, _NAMES.values()))
  ours = found["transformer-ours", BATCH]
  lines = [
    "A training step of 6 + 6 layers (float32, width 256, 8 heads, source 63, "
    "target 64, batch 16, vocabulary 512)",
    f"  {'':{width}}{'ms':>9}{'mixerlab / row':>17}",
  ]
  for name, label in _NAMES.items():
    own = found.get((f"transformer-{name}", BATCH))
    if own is None:
      lines.append(f"  {label:{width}}{'-':>9}{'-':>17}")
      continue
    time = 1000 / statistics.median(own)
    lines.append(f"  {label:{width}}{time:9.1f}{_longer(ours, own):>16.2f}×")
  lines.append("  The last column: our time over that of the row.")
  return "\n".join(lines) + "\n"


def _compilation(found: Rounds) -> str:
  """Seconds of each depth beside those of 8 scanned layers."""
  least = found["transformer-scanned", "8"]
  lines = [
    "Compilation of a step, from tracing on (decoder alone, width 256)",
    f"  {'layers':>8}  {'':8}{'s':>9}{'× 8 scanned':>14}",
  ]
  for depth, of in _DEPTHS:
    own = found[f"transformer-{depth}", of]
    time = 1 / statistics.median(own)
    ratio = _longer(own, least)
    lines.append(f"  {of:>8}  {depth:8}{time:9.2f}{ratio:>13.2f}×")
  return "\n".join(lines) + "\n"


def _longer(ours: Sequence[float], other: Sequence[float]) -> float:
  """The median over rounds of our time over the other's."""
  return statistics.median(
    theirs / mine for mine, theirs in zip(ours, other, strict=True)
  )


def _has_torch() -> bool:
  return importlib.util.find_spec("torch") is not None
