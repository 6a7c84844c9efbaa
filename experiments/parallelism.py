"""Parallelism (C12): what does it cost to read one token after the other?

Question. A recurrence has as many steps one after the other as there are
tokens; attention computes all pairs at once, and generates token by token with
all that it has kept. Which takes less time for a sequence, forwards and
backwards, and for a generated token, and at which lengths do the curves cross?
What of a linear recurrence, which can be computed by either way?

Prediction. On a CPU, attention is at least twice as fast as an LSTM at 64
tokens and takes at least half as long again at 8,192: they cross between. An
associative scan gains nothing on two cores: at 8,192 the serial one is no
slower. On an accelerator the LSTM takes ten times as long as attention even at
8,192, and the associative scan is at least twice as fast as the serial one.
Chunks need no more than half of the LSTM's time everywhere. A recurrence
generates tokens at one cost, attention at a growing one: twice that of an LSTM
at 8,192. Refuted where a ratio or a fitted power is on the other side of the
number that its claim names.

Command. `python -m experiments run parallelism`

Minutes. 2 on 2 cores; nothing is trained.

Source. H. Lee, lectures on self-attention (2021): recurrence beside
self-attention; Vaswani 2017, table 1; Martin & Cundy 2018; Gu & Dao 2023.
"""

from research.attention.layer import Attention
from research.experiment import (
  GENERATION_EXPONENT,
  MICROSECONDS,
  MILLISECONDS,
  TIME_EXPONENT,
  Change,
  Claim,
  Experiment,
  Measure,
)
from research.linear.elu import LinearAttention
from research.models.sequence import SequenceModel
from research.recurrence.gru import GRU
from research.recurrence.lru import LRU
from research.recurrence.lstm import LSTM
from research.recurrence.mamba import Mamba
from research.tasks.base import Task
from research.training.record import Training

BACKGROUND = """\
Vaswani 2017 counts for a layer the operations one after the other: n for a
recurrence, one for attention, and names this as a reason for attention; and
the work, n² d against n d², which is the smaller for attention as long as n is
smaller than d. Martin & Cundy 2018 compute a linear recurrence by a parallel
scan in log n steps, up to 9 times as fast on a GPU. Gu & Dao 2023 report that
their scan is faster than the best attention from 2,000 tokens on and that
Mamba generates 4 to 5 times as many tokens a second as a Transformer with its
cache, on an A100. Chunks do most of the work in matrix products (Sun 2023).

How many things are computed at once is a property of the machine: the
predictions differ with it, and the verdicts are about the one named below."""


def experiment(scale: str) -> Experiment:
  """The page at a scale: "smoke", "laptop" or "accelerator"."""
  lengths = _LENGTHS[scale]
  return Experiment(
    name="parallelism",
    question=(
      "How does time grow with the length, for a sequence and for a generated "
      "token, and where do the curves cross?"
    ),
    background=BACKGROUND,
    task=Task(),
    model=SequenceModel(mixer=LSTM(), width=64),
    training=Training(batch=1),
    variants=(
      Change("lstm"),
      *(
        Change(name, (("model.mixer", mixer),))
        for name, mixer in _MIXERS.items()
      ),
    ),
    claims=(
      *_claims(lengths[0], lengths[-1]),
      *(_few if scale != "accelerator" else _many)(lengths[-1]),
    ),
    lengths=lengths,
    generation=True,
    same=(("lru_serial", "lru_associative", "lru_chunked"),),
    scale=scale,
  )


_MIXERS = {
  "gru": GRU(),
  "lru_serial": LRU(form="serial"),
  "lru_associative": LRU(form="associative"),
  "lru_chunked": LRU(form="chunked"),
  "mamba": Mamba(),
  "chunkwise": LinearAttention(form="chunkwise"),
  "attention": Attention(),
}

_LENGTHS = {
  "smoke": (8, 16),
  "laptop": (64, 128, 256, 512, 1024, 2048, 4096, 8192),
  "accelerator": (64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768),
}


def _claims(short: int, long: int) -> list[Claim]:
  """What is predicted for any machine."""
  return [
    _slower(
      "C12-short", MILLISECONDS, short, ("lstm", "attention"), 1.0,
      "an LSTM takes at least twice as long as attention",
    ),
    _slower(
      "C12-chunks", MILLISECONDS, long, ("lstm", "chunkwise"), 1.0,
      "an LSTM takes at least twice as long as linear attention by chunks",
    ),
    _slower(
      "C12-attention-chunks", MILLISECONDS, long, ("attention", "chunkwise"),
      1.0, "attention takes at least twice as long as linear attention by "
      "chunks",
    ),
    _at_most("lstm", TIME_EXPONENT, 1.1),
    _at_most("chunkwise", TIME_EXPONENT, 1.1),
    *(
      _at_most(name, GENERATION_EXPONENT, 0.1)
      for name in ("lstm", "lru_serial", "mamba", "chunkwise")
    ),
    _slower(
      "C12-token", MICROSECONDS, long, ("attention", "lstm"), 1.0,
      "a token of attention with its cache takes at least twice as long as one "
      "of an LSTM",
    ),
    _slower(
      "C12-token-grows", MICROSECONDS, long, ("attention", "attention"), 1.0,
      f"a token of attention takes at least twice as long as at {short:,}",
      short,
    ),
  ]  # fmt: skip


def _few(long: int) -> list[Claim]:
  """Where few things are computed at once."""
  return [
    _slower(
      "C12-crossing", MILLISECONDS, long, ("attention", "lstm"), 0.5,
      "attention takes at least half as long again as an LSTM",
    ),
    _slower(
      "C12-scan", MILLISECONDS, long, ("lru_associative", "lru_serial"), 0.0,
      "an associative scan takes no less time than a serial one",
    ),
  ]  # fmt: skip


def _many(long: int) -> list[Claim]:
  """Where many are."""
  return [
    _slower(
      "C12-crossing", MILLISECONDS, min(long, 8192), ("lstm", "attention"),
      9.0, "an LSTM takes at least ten times as long as attention",
    ),
    _slower(
      "C12-scan", MILLISECONDS, long, ("lru_serial", "lru_associative"), 1.0,
      "a serial scan takes at least twice as long as an associative one",
    ),
  ]  # fmt: skip


def _slower(
  name: str,
  metric: str,
  length: int,
  sides: tuple[str, str],
  share: float,
  text: str,
  beside: int = 0,
) -> Claim:
  """The first side takes longer, by this share; both at the length."""
  left, right = (
    Measure(side, f"length={n}", metric=metric)
    for side, n in zip(sides, (length, beside or length), strict=True)
  )
  text = f"At {length:,} tokens, {text}."
  return Claim(name, text, left, right, share, relative=True)


def _at_most(name: str, metric: str, power: float) -> Claim:
  """The power is no larger: what it is compared with exceeds it by enough."""
  kind = "token" if metric == GENERATION_EXPONENT else "time"
  what = "a token" if kind == "token" else "a sequence"
  return Claim(
    f"C12-{name}-{kind}",
    f"The time of {what} of {name} grows with the power {power} of the length "
    "or slower.",
    "zero",
    Measure(name, metric=metric),
    -power,
  )
