"""Linear attention is an RNN (C13): the same numbers, and tokens at one cost?

Question. Without a softmax, attention can be computed as a matrix, by chunks,
or as a recurrence with a matrix for its state. Are these the same numbers, and
does a generated token cost the same at any length? Beside it always stands
softmax attention that keeps its keys and values, as nobody generates without.

Prediction. Outputs and gradients of the three forms agree to float32 rounding
at every length, and so do outputs made token by token. The state has as many
bytes at 8,192 tokens as at 64, and the time of a token does not grow. That of
softmax grows with the length: at 8,192 tokens it is twice as long; at 64 it is
not longer by more than half. Refuted where a difference is above the bound of
the tests for one module, a fitted power above 0.1, or a ratio on the other
side of the number that its claim names.

Command. `python -m experiments run linear_is_recurrent`

Minutes. 6 on 2 cores; nothing is trained.

Source. H. Lee, lectures on self-attention (2021): linear attention;
Katharopoulos 2020; for the gated and the delta rule Yang 2023 and Yang 2024.
"""

from research.attention.layer import Attention
from research.experiment import (
  DIFFERENCE,
  GENERATION_EXPONENT,
  GRADIENT_DIFFERENCE,
  MICROSECONDS,
  STATE_BYTES,
  STREAM_DIFFERENCE,
  Change,
  Claim,
  Experiment,
  Measure,
)
from research.linear.delta_net import DeltaNet
from research.linear.elu import LinearAttention
from research.linear.gla import GatedLinearAttention
from research.models.sequence import SequenceModel
from research.tasks.base import Task
from research.training.record import Training

BACKGROUND = """\
Katharopoulos 2020 shows that causal attention with a kernel for the softmax
is a recurrence, and generates 317 times as many MNIST images a second as
softmax attention that computes all keys and values again for every pixel, on
CIFAR-10 4,462 times. Most of that is not the recurrence: their own softmax
with a cache of keys and values is 16.8 and 80 times as fast as without, so
that 19 and 56 times remain (batches on a GPU), and with one image at a time
1.15. This is the baseline here.

Yang 2023 and Yang 2024 give the chunkwise forms of gated linear attention and
of the delta rule. What is measured here is one layer, its projections
included, with one sequence at a time; what it can remember is asked on the
pages recall, memory and recall_by_state."""

FORMS = ("recurrent", "chunkwise", "parallel")
"""The first one is the definition, which runs at every length."""
HEADS = 4


def experiment(scale: str) -> Experiment:
  """The page at a scale: "smoke", "laptop" or "accelerator"."""
  lengths, families = _SIZES[scale]
  return Experiment(
    name="linear_is_recurrent",
    question=(
      "Do the forms of linear attention agree, and does a generated token cost "
      "the same at any length?"
    ),
    background=BACKGROUND,
    task=Task(),
    model=SequenceModel(mixer=_MIXERS["linear"], width=64),
    training=Training(batch=1),
    variants=(
      *(
        Change(
          f"{family}_{form}",
          (
            ("model.mixer", _MIXERS[family]),
            ("model.mixer.form", form),
          ),
        )
        for family in families
        for form in FORMS
      ),
      Change("softmax", (("model.mixer", Attention(heads=HEADS)),)),
    ),
    claims=(
      *(claim for family in families for claim in _of(family, lengths)),
      *_softmax(lengths),
    ),
    lengths=lengths,
    generation=True,
    same=tuple(
      tuple(f"{family}_{form}" for form in FORMS) for family in families
    ),
    scale=scale,
  )


_MIXERS = {
  "linear": LinearAttention(heads=HEADS),
  "gla": GatedLinearAttention(heads=HEADS),
  "delta": DeltaNet(heads=HEADS),
}

_WORDS = {
  "linear": "linear attention",
  "gla": "gated linear attention",
  "delta": "DeltaNet",
}

_SIZES: dict[str, tuple[tuple[int, ...], tuple[str, ...]]] = {
  "smoke": ((8, 16), ("linear",)),
  "laptop": ((64, 128, 256, 512, 1024, 2048, 4096, 8192), tuple(_MIXERS)),
  "accelerator": (
    (64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768),
    tuple(_MIXERS),
  ),
}
"""The lengths, and the rules of writing."""


def _of(family: str, lengths: tuple[int, ...]) -> list[Claim]:
  """One family: its forms agree, its state and the time of a token are flat."""
  form, short, long = f"{family}_recurrent", lengths[0], lengths[-1]
  words = _WORDS[family]
  found = [
    _at_most(f"C13-{family}-{name}-{what}", text, f"{family}_{name}", *bound)
    for name in FORMS[1:]
    for what, text, bound in (
      (
        "outputs",
        f"The {name} form of {words} has the outputs of the recurrent one.",
        (DIFFERENCE, 1e-5),
      ),
      (
        "gradients",
        f"The {name} form of {words} has the gradients of the recurrent one.",
        (GRADIENT_DIFFERENCE, 4e-5),
      ),
    )
  ]
  return [
    *found,
    _at_most(
      f"C13-{family}-stream",
      f"Token by token, {words} has the outputs of the whole sequence.",
      form,
      STREAM_DIFFERENCE,
      1e-5,
    ),
    Claim(
      f"C13-{family}-state",
      f"The state of {words} is as large at {long:,} tokens as at {short:,}.",
      _at(form, short, STATE_BYTES),
      _at(form, long, STATE_BYTES),
      0.0,
    ),
    _at_most(
      f"C13-{family}-flat",
      f"The time of a token of {words} grows with the power 0.1 of the "
      "length or slower.",
      form,
      GENERATION_EXPONENT,
      0.1,
    ),
  ]


def _softmax(lengths: tuple[int, ...]) -> list[Claim]:
  """What the cache of keys and values costs, far and near."""
  short, long = lengths[0], lengths[-1]
  return [
    Claim(
      "C13-softmax-state",
      f"The state of softmax attention is at least {long // short // 2} times "
      f"as large at {long:,} tokens as at {short:,}.",
      _at("softmax", long, STATE_BYTES),
      _at("softmax", short, STATE_BYTES),
      long // short // 2 - 1.0,
      relative=True,
    ),
    Claim(
      "C13-softmax-long",
      f"At {long:,} tokens, a token of softmax attention with its cache takes "
      "at least twice as long as one of linear attention.",
      _at("softmax", long, MICROSECONDS),
      _at("linear_recurrent", long, MICROSECONDS),
      1.0,
      relative=True,
    ),
    Claim(
      "C13-softmax-short",
      f"At {short:,} tokens, a token of linear attention takes at least two "
      "thirds of the time of one of softmax attention with its cache.",
      _at("linear_recurrent", short, MICROSECONDS),
      _at("softmax", short, MICROSECONDS),
      -1 / 3,
      relative=True,
    ),
  ]


def _at(name: str, length: int, metric: str) -> Measure:
  return Measure(name, f"length={length}", metric=metric)


def _at_most(
  claim: str, text: str, name: str, metric: str, most: float
) -> Claim:
  """Zero exceeds the measure by no less than −`most`."""
  return Claim(claim, text, "zero", Measure(name, metric=metric), -most)
