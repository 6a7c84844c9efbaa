"""`mixerlab bench attention`: attention alone beside its peers, in turn."""

import dataclasses
import statistics
from collections.abc import Callable, Sequence

import jax.numpy as jnp

from research.bench import attention, device
from research.bench.device import has_cudnn, has_torch
from research.command.bench_tables import Data, Rounds, plain, ratio


@dataclasses.dataclass(frozen=True)
class Lengths:
  """At which each table is made.

  Attributes:
    speed: of all forms.
    memory: of blocks.
    window: of a window.
    cache: of decoding.
  """

  speed: tuple[str, ...] = ("1024", "2048", "4096")
  memory: tuple[int, ...] = (2048, 4096, 8192, 16384)
  window: tuple[str, ...] = ("2048", "4096", "8192")
  cache: tuple[str, ...] = ("512", "1024", "2048", "4096", "8192")


CPU = Lengths()
ACCELERATOR = Lengths(
  speed=("1024", "4096", "16384", "65536"),
  memory=(8192, 16384, 32768, 65536),
  window=("16384", "32768", "65536"),
  cache=("1024", "4096", "16384", "65536"),
)
_WHOLE = ("dense", "library")
"""Who holds all scores: beyond 4,096 there is no room for them."""
_NAMES = {
  "blocks": "blocks",
  "segments": "blocks, told of segments",
  "alibi": "blocks, ALiBi as score_mod",
  "cap": "blocks, soft cap as score_mod",
  "dense": "all scores at once",
  "library": "jax.nn.dot_product_attention",
  "cudnn": "the same by cuDNN",
  "torch": "PyTorch, fused",
}
_PEERS = {
  "torch": "PyTorch",
  "cudnn": "cuDNN",
  "library": "jax.nn",
  "blocks": "blocks",
}


def tables(
  rates: Callable[[list[tuple[str, str]]], Rounds],
) -> tuple[str, Data]:
  """The tables as text, and the rounds behind them.

  Args:
    rates: runs contenders in turn and gives their rates.
  """
  at = ACCELERATOR if device.accelerated() else CPU
  there = {"torch": has_torch(on_gpu=True), "cudnn": has_cudnn()}
  names = [name for name in _NAMES if there.get(name, True)]
  found: dict[tuple[str, str], Sequence[float]] = {}
  for length in at.speed:
    long = int(length) > 4096
    found |= rates(
      [
        (f"attention-{name}", length)
        for name in names
        if not (long and name in _WHOLE)
      ]
    )
  found |= rates([("attention-window", length) for length in at.window])
  found |= rates([("attention-decode", length) for length in at.cache])
  parts = (
    _speed(found, names, at.speed),
    _memory(at.memory),
    _window(found, at.window),
    _decoding(found, at.cache),
  )
  return "\n".join(parts), plain(found)


def _speed(found: Rounds, names: list[str], lengths: tuple[str, ...]) -> str:
  """Times and ratios of all forms at each length."""
  width = max(map(len, _NAMES.values()))
  peers = [name for name in _PEERS if name in names]
  head = "".join(f"{'× ' + _PEERS[peer]:>12}" for peer in peers)
  lines = [
    f"Attention forward and backward ({device.precision()}, batch 1, "
    f"{attention.HEADS} heads of {attention.WIDTH}, causal)"
  ]
  for length in lengths:
    lines.append(f"  {f'length {int(length):,}':{width}}{'ms':>9}{head}")
    for name in names:
      own = found.get((f"attention-{name}", length))
      if own is None:
        continue
      time = 1000 / statistics.median(own)
      line = f"  {_NAMES[name]:{width}}{time:9.{1 if time >= 10 else 3}f}"
      for peer in peers:
        other = found.get((f"attention-{peer}", length))
        line += f"{ratio(own, other):>11.2f}×" if other else f"{'-':>12}"
      lines.append(line)
  lines.append("  The last columns: the speed of a row over that of the peer.")
  return "\n".join(lines) + "\n"


def _memory(lengths: tuple[int, ...]) -> str:
  """Temporary memory of blocks, as the compiler counts it."""
  from research.lengths.exponents import exponent

  sizes = [attention.temporary_bytes("blocks", length) for length in lengths]
  power = exponent(lengths, sizes)
  each = ", ".join(
    f"{size / 2**20:.0f} MiB at {length:,}"
    for size, length in zip(sizes, lengths, strict=True)
  )
  return f"Temporary memory of blocks: {each}; exponent {power:.2f}\n"


def _window(found: Rounds, lengths: tuple[str, ...]) -> str:
  """How the time of a window grows, beside a straight line."""
  first = found["attention-window", lengths[0]]
  parts = []
  for length in lengths:
    own = found["attention-window", length]
    line = ratio(first, own) / (int(length) / int(lengths[0]))
    parts.append(
      f"{1000 / statistics.median(own):.1f} ms at {int(length):,} "
      f"({line:.2f} of the line)"
    )
  return f"Window of {attention.WINDOW}, in blocks: {', '.join(parts)}\n"


def _decoding(found: Rounds, lengths: tuple[str, ...]) -> str:
  """Time per token beside the time that reading the cache takes."""
  numbers = 2 * attention.HEADS * attention.WIDTH  # a key and a value
  width = jnp.dtype(device.precision()).itemsize
  parts = []
  for length in lengths:
    rate = statistics.median(found["attention-decode", length])
    size = width * numbers * int(length)
    parts.append(
      f"{1e6 / rate:.0f} µs at {int(length):,} ({size * rate / 1e9:.1f} GB/s)"
    )
  return f"A token with a cache of that length: {', '.join(parts)}\n"
