"""`mixerlab bench attention`: attention alone beside its peers, in turn."""

import importlib.util
import statistics
from collections.abc import Callable, Mapping, Sequence

Rounds = Mapping[tuple[str, str], Sequence[float]]
"""Calls a second of every contender (name, length), round by round."""

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
) -> tuple[str, dict[str, dict[str, list[float]]]]:
  """The tables as text, and the rounds behind them.

  Args:
    rates: runs contenders in turn and gives their rates.
  """
  names = [name for name in _NAMES if name != "torch" or _has_torch()]
  found: dict[tuple[str, str], Sequence[float]] = {}
  for length in LENGTHS:
    found |= rates([(f"attention-{name}", length) for name in names])
  found |= rates([("attention-window", length) for length in _WINDOW])
  found |= rates([("attention-decode", length) for length in _CACHE])
  text = "\n".join(
    (_speed(found, names), _memory(), _window(found), _decoding(found))
  )
  data: dict[str, dict[str, list[float]]] = {}
  for (name, length), values in found.items():
    data.setdefault(name, {})[length] = [*values]
  return text, data


def _speed(found: Rounds, names: list[str]) -> str:
  """Times and ratios of all forms at each length."""
  width = max(map(len, _NAMES.values()))
  peers = [name for name in _PEERS if name in names]
  head = "".join(f"{'× ' + _PEERS[peer]:>12}" for peer in peers)
  lines = [
    "Attention forward and backward (float32, batch 1, 8 heads of 64, causal)"
  ]
  for length in LENGTHS:
    lines.append(f"  {f'length {int(length):,}':{width}}{'ms':>9}{head}")
    for name in names:
      own = found[f"attention-{name}", length]
      line = f"  {_NAMES[name]:{width}}{1000 / statistics.median(own):9.1f}"
      for peer in peers:
        other = found[f"attention-{peer}", length]
        line += f"{_ratio(own, other):>11.2f}×"
      lines.append(line)
  lines.append("  The last columns: the speed of a row over that of the peer.")
  return "\n".join(lines) + "\n"


def _memory() -> str:
  """Temporary memory of blocks, as the compiler counts it."""
  from research.bench.attention import temporary_bytes
  from research.lengths.exponents import exponent

  sizes = [temporary_bytes("blocks", length) for length in _MEMORY]
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
    line = _ratio(first, own) / (int(length) / int(_WINDOW[0]))
    parts.append(
      f"{1000 / statistics.median(own):.1f} ms at {int(length):,} "
      f"({line:.2f} of the line)"
    )
  return f"Window of 128, in blocks: {', '.join(parts)}\n"


def _decoding(found: Rounds) -> str:
  """Time per token beside the time that reading the cache takes."""
  parts = []
  for length in _CACHE:
    rate = statistics.median(found["attention-decode", length])
    size = 2 * 4 * 512 * int(length)
    parts.append(
      f"{1e6 / rate:.0f} µs at {int(length):,} ({size * rate / 1e9:.1f} GB/s)"
    )
  return f"A token with a cache of that length: {', '.join(parts)}\n"


def _ratio(own: Sequence[float], other: Sequence[float]) -> float:
  """The median of the ratios within a round."""
  return statistics.median(a / b for a, b in zip(own, other, strict=True))


def _has_torch() -> bool:
  return importlib.util.find_spec("torch") is not None
