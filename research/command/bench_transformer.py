"""`mixerlab bench transformer`: a training step, and deep compilation."""

import statistics
from collections.abc import Callable, Sequence

from research.bench import device, transformer
from research.bench.device import has_torch
from research.command.bench_tables import Data, Rounds, plain, ratio

_NAMES = {"ours": "mixerlab", "torch": "torch.nn.Transformer"}
_DEPTHS = (("scanned", "8"), ("scanned", "64"), ("unrolled", "8"))


def tables(
  rates: Callable[[list[tuple[str, str]]], Rounds],
) -> tuple[str, Data]:
  """The tables as text, and the rounds behind them.

  Args:
    rates: runs contenders in turn and gives their rates.
  """
  names = [name for name in _NAMES if name != "torch" or has_torch(on_gpu=True)]
  of = "base" if device.accelerated() else "small"
  product = "product", transformer.SIZES[of].precision
  found: dict[tuple[str, str], Sequence[float]] = {}
  found |= rates([*((f"transformer-{name}", of) for name in names), product])
  found |= rates([(f"transformer-{depth}", of) for depth, of in _DEPTHS])
  return _steps(found, of) + "\n" + _compilation(found), plain(found)


def _steps(found: Rounds, of: str) -> str:
  """Times of each, and how many times as long as its peer ours takes."""
  size = transformer.SIZES[of]
  width = max(map(len, _NAMES.values()))
  ours = found["transformer-ours", of]
  product = found["product", size.precision]
  work = transformer.flops_per_step(size)
  most = device.product_flops(size.precision)
  lines = [
    f"A training step of {size.layers} + {size.layers} layers "
    f"({size.precision}, width {size.width}, {size.heads} heads, source "
    f"{size.length - 1}, target {size.length}, batch {size.batch}, vocabulary "
    f"{size.symbols})",
    f"  {'':{width}}{'ms':>9}{'mixerlab / row':>17}{'utilisation':>14}",
  ]
  for name, label in _NAMES.items():
    own = found.get((f"transformer-{name}", of))
    if own is None:
      lines.append(f"  {label:{width}}{'-':>9}{'-':>17}{'-':>14}")
      continue
    time = 1000 / statistics.median(own)
    longer = ratio(own, ours)  # of steps a second
    share = ratio(own, product) * work / most
    lines.append(f"  {label:{width}}{time:9.1f}{longer:>16.2f}×{share:>14.0%}")
  best = statistics.median(product) * most
  lines += [
    "  mixerlab / row: our time over that of the row. Utilisation: of "
    f"{best / 1e12:.2f} TFLOP/s,",
    f"  this device's own rate in products, by the {work / 1e12:.2f} TFLOP "
    "that a step needs in products.",
  ]
  peak = device.peak()
  if peak is not None and size.precision == "bfloat16":
    share = statistics.median(ours) * work / peak
    lines.append(
      f"  By the data sheet ({peak / 1e12:.0f} TFLOP/s) mixerlab's "
      f"utilisation is {share:.0%}."
    )
  return "\n".join(lines) + "\n"


def _compilation(found: Rounds) -> str:
  """Seconds of each depth beside those of 8 scanned layers."""
  least = found["transformer-scanned", "8"]
  lines = [
    "Compilation of a step, from tracing on (decoder alone, width "
    f"{transformer.DEEP.width})",
    f"  {'layers':>8}  {'':8}{'s':>9}{'× 8 scanned':>14}",
  ]
  for depth, of in _DEPTHS:
    own = found[f"transformer-{depth}", of]
    time = 1 / statistics.median(own)
    longer = ratio(least, own)  # of compilations a second
    lines.append(f"  {of:>8}  {depth:8}{time:9.2f}{longer:>13.2f}×")
  return "\n".join(lines) + "\n"
