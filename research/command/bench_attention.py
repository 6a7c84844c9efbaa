"""`mixerlab bench attention`: attention alone beside its peers, in turn."""

import statistics
from collections.abc import Callable, Sequence

from research.bench import attention
from research.command.bench_tables import Data, Rounds, has_torch, plain, ratio

LENGTHS = ("1024", "2048", "4096")
_MEMORY = (2048, 4096, 8192, 16384)
_WINDOW = ("2048", "4096", "8192")
_CACHE = ("512", "1024", "2048", "4096", "8192")
_NAMES = {
  "blocks": "blocks",
  "segments": "blocks, told of segments",
  "alibi": "blocks, ALiBi as score_mod",
  "cap": "blocks, soft cap as score_mod",
  "dense": "all scores at once",
  "library": "jax.nn.dot_product_attention",
  "torch": "PyTorch, fused",
}
_PEERS = {"torch": "PyTorch", "library": "jax.nn", "blocks": "blocks"}


def tables(
  rates: Callable[[list[tuple[str, str]]], Rounds],
) -> tuple[str, Data]:
  """The tables as text, and the rounds behind them.

  Args:
    rates: runs contenders in turn and gives their rates.
  """
  names = [name for name in _NAMES if name != "torch" or has_torch()]
  found: dict[tuple[str, str], Sequence[float]] = {}
  for length in LENGTHS:
    found |= rates([(f"attention-{name}", length) for name in names])
  found |= rates([("attention-window", length) for length in _WINDOW])
  found |= rates([("attention-decode", length) for length in _CACHE])
  text = "\n".join(
    (_speed(found, names), _memory(), _window(found), _decoding(found))
  )
  return text, plain(found)


def _speed(found: Rounds, names: list[str]) -> str:
  """Times and ratios of all forms at each length."""
  width = max(map(len, _NAMES.values()))
  peers = [name for name in _PEERS if name in names]
  head = "".join(f"{'× ' + _PEERS[peer]:>12}" for peer in peers)
  lines = [
    "Attention forward and backward (float32, batch 1, "
    f"{attention.HEADS} heads of {attention.WIDTH}, causal)"
  ]
  for length in LENGTHS:
    lines.append(f"  {f'length {int(length):,}':{width}}{'ms':>9}{head}")
    for name in names:
      own = found[f"attention-{name}", length]
      line = f"  {_NAMES[name]:{width}}{1000 / statistics.median(own):9.1f}"
      for peer in peers:
        other = found[f"attention-{peer}", length]
        line += f"{ratio(own, other):>11.2f}×"
      lines.append(line)
  lines.append("  The last columns: the speed of a row over that of the peer.")
  return "\n".join(lines) + "\n"


def _memory() -> str:
  """Temporary memory of blocks, as the compiler counts it."""
  from research.lengths.exponents import exponent

  sizes = [attention.temporary_bytes("blocks", length) for length in _MEMORY]
  power = exponent(_MEMORY, sizes)
  each = ", ".join(
    f"{size / 2**20:.0f} MiB at {length:,}"
    for size, length in zip(sizes, _MEMORY, strict=True)
  )
  return f"Temporary memory of blocks: {each}; exponent {power:.2f}\n"


def _window(found: Rounds) -> str:
  """How the time of a window grows, beside a straight line."""
  first = found["attention-window", _WINDOW[0]]
  parts = []
  for length in _WINDOW:
    own = found["attention-window", length]
    line = ratio(first, own) / (int(length) / int(_WINDOW[0]))
    parts.append(
      f"{1000 / statistics.median(own):.1f} ms at {int(length):,} "
      f"({line:.2f} of the line)"
    )
  return f"Window of {attention.WINDOW}, in blocks: {', '.join(parts)}\n"


def _decoding(found: Rounds) -> str:
  """Time per token beside the time that reading the cache takes."""
  numbers = 2 * attention.HEADS * attention.WIDTH  # a key and a value
  parts = []
  for length in _CACHE:
    rate = statistics.median(found["attention-decode", length])
    size = 4 * numbers * int(length)
    parts.append(
      f"{1e6 / rate:.0f} µs at {int(length):,} ({size * rate / 1e9:.1f} GB/s)"
    )
  return f"A token with a cache of that length: {', '.join(parts)}\n"
