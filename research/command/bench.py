"""`mixerlab bench`: speed beside PyTorch's, contenders taken in turn."""

import importlib
import json
import os
import pathlib
import statistics
import sys
from typing import Any

from research.command.arguments import Parser
from research.command.bench_tables import ratio

_OURS = ("lab-1", "lab-2")
_NAMES = {
  "lab-1": "mixerlab, one member",
  "lab-2": "mixerlab, two members",
  "torch-none-eager": "PyTorch, logits everywhere",
  "torch-logits-eager": "PyTorch, scored logits",
  "torch-logits-compiled": "PyTorch compiled, scored logits",
  "torch-block-eager": "PyTorch, all of our savings",
}
_PRODUCT = ("product", "float32")
_ALONE = {
  "attention": "research.command.bench_attention",
  "recurrence": "research.command.bench_recurrence",
  "decoding": "research.command.bench_decoding",
  "transformer": "research.command.bench_transformer",
}
"""What is timed alone, and the module that makes its tables."""


_WHAT = (
  "Times training steps of recall by attention (length 64, width 64, 2 "
  "layers, batch 64, float32) at vocabulary 256 and 8,192. PyTorch is timed "
  "too where it is installed: the same model with logits everywhere, with "
  "logits at scored positions only, compiled, and (like for like) with "
  "the last block at scored positions only as well. Every contender has a "
  "process of its own and the same allocator settings; they run in turn, "
  "and what is printed are medians over rounds, of rates and of ratios "
  "within a round. A comparison always has several members, which share "
  "the cores: two of them are timed beside one, in steps of both. "
  "`bench attention` times attention alone, forward and backward, in blocks "
  "and beside its peers, its memory, a window, and decoding with a cache. "
  "`bench recurrence` times LSTM and GRU, forward and backward, beside those "
  "of Flax and PyTorch. `bench decoding` times greedy decoding with a cache, "
  "of a decoder alone and of an encoder and a decoder, and its compilation. "
  "`bench transformer` times a training step of an encoder and a decoder "
  "beside that of `torch.nn.Transformer`, and the compilation of 8 and 64 "
  "layers. `bench forms` times all forms of fast weights, of "
  "linear recurrences and of long convolutions at lengths of 64 to 8,192, "
  "in one process, and what `auto` picks beside the fastest. On an "
  "accelerator `bench attention` and `bench transformer` take bfloat16, "
  "lengths of up to 65,536, cuDNN as one more peer, and a model of the base "
  "size of Vaswani et al. (2017)."
)


def parser() -> Parser:
  """The arguments of the verb."""
  result = Parser(
    "bench",
    _WHAT,
    "examples:\n\n  mixerlab bench --rounds 7\n  mixerlab bench attention\n"
    "  mixerlab bench recurrence\n  mixerlab bench decoding\n"
    "  mixerlab bench transformer\n  mixerlab bench forms",
  )
  result.add_argument(
    "what",
    nargs="?",
    choices=("training", *_ALONE, "forms"),
    default="training",
    help="what is timed (training)",
  )
  result.add_argument(
    "--rounds", type=int, default=5, help="turns of each contender (5)"
  )
  result.add_argument(
    "--seconds", type=float, help="length of a turn (3; of forms 0.1)"
  )
  result.add_argument(
    "--vocabulary",
    choices=("256", "8192"),
    help="one of the two sizes alone",
  )
  result.add_argument(
    "--json", metavar="FILE", help="write all rounds to a file as well"
  )
  return result


def main(arguments: list[str]) -> int:
  """Prints the tables."""
  given = parser().parse_args(arguments)
  # This process counts; the contenders need the memory of a GPU.
  os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
  if given.seconds is None:
    given.seconds = 0.1 if given.what == "forms" else 3.0
  for name in ("rounds", "seconds"):
    if getattr(given, name) <= 0:
      raise ValueError(f"{name} = {getattr(given, name)}; allowed: above 0")
  if given.what != "training":
    if given.vocabulary:
      raise ValueError(
        f"vocabulary = {given.vocabulary} with {given.what}; allowed: with "
        "training alone"
      )
    return _forms(given) if given.what == "forms" else _alone(given)
  return _training(given)


def _training(given: Any) -> int:
  from research.bench.device import has_torch
  from research.bench.interleave import rates

  names = list(_NAMES if has_torch() else _OURS)
  sizes = [given.vocabulary] if given.vocabulary else ["256", "8192"]
  found = {}
  for size in sizes:
    contenders = [(name, size) for name in names] + [_PRODUCT]
    found[size] = rates(
      contenders, rounds=given.rounds, seconds=given.seconds, told=_tell
    )
    print(_table(size, found[size]), flush=True)
  if not has_torch():
    print("With PyTorch on a CPU, its rows stand here too.")
  _keep(
    given.json,
    {
      size: {name: values for (name, _), values in rounds.items()}
      for size, rounds in found.items()
    },
  )
  return 0


def _alone(given: Any) -> int:
  from research.bench.interleave import rates

  def taken(contenders: list[tuple[str, str]]) -> dict:
    return rates(
      contenders, rounds=given.rounds, seconds=given.seconds, told=_tell
    )

  text, data = importlib.import_module(_ALONE[given.what]).tables(taken)
  print(text, end="")
  _keep(given.json, data)
  return 0


def _forms(given: Any) -> int:
  from research.bench.forms import FAMILIES, seconds
  from research.command.bench_forms import tables

  def measured(name: str) -> dict:
    return seconds(FAMILIES[name], given.rounds, given.seconds, _tell)

  text, data = tables(measured)
  print(text, end="")
  _keep(given.json, data)
  return 0


def _keep(file: str | None, data: dict) -> None:
  if file:
    pathlib.Path(file).write_text(json.dumps(data, indent=1) + "\n")


def _table(size: str, rounds: dict[tuple[str, str], list[float]]) -> str:
  from research.bench.device import product_flops
  from research.bench.lab import flops_per_step
  from research.bench.size import SIZES

  width = max(map(len, _NAMES.values()))
  lines = [
    f"Vocabulary {size}",
    f"  {'':{width}}  steps/s  tokens/s   one member  two members",
  ]
  tokens = SIZES[size].batch * SIZES[size].length
  for name, label in _NAMES.items():
    if (name, size) not in rounds:
      continue
    middle = statistics.median(rounds[name, size])
    line = f"  {label:{width}}  {middle:7.1f}  {middle * tokens:8,.0f}"
    if name not in _OURS:
      line += "".join(
        f"{ratio(rounds[own, size], rounds[name, size]):>12.2f}×"
        for own in _OURS
      )
    lines.append(line)
  peak = product_flops("float32")
  work = flops_per_step(SIZES[size])
  share = statistics.median(
    own * work / (rate * peak)
    for own, rate in zip(rounds["lab-2", size], rounds[_PRODUCT], strict=True)
  )
  best = statistics.median(rounds[_PRODUCT]) * peak / 1e9
  lines.append(
    f"  {work / 1e9:.2f} GFLOP a step in matrix products: two members reach "
    f"{share:.0%} of this machine's own rate ({best:.0f} GFLOP/s)"
  )
  lines.append("  The last two columns: our speed over that of the row.")
  return "\n".join(lines) + "\n"


def _tell(text: str) -> None:
  if sys.stderr.isatty():
    print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
