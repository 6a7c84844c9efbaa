"""Cost of attention (C16): what does length cost, and what changes the power?

Question. Every token looks at every other, so time and memory grow with the
square of the length. Which of the two do evaluation by blocks, a window and
linear attention bring down, and at which lengths does it pay?

Prediction. Forward and backward over the lengths from 1,024 on, dense
attention grows with the square in memory and nearly so in time. By blocks the
same numbers need memory that is linear in the length, and still the time of a
square. A window and linear attention are linear in both. Refuted where a
fitted exponent is on the other side of the number that its claim names, where
blocks are not faster than the whole matrix at 4,096, or where a window is not
twice as fast as all keys at 8,192.

Command. `python -m experiments run attention_cost`

Minutes. 2 on 2 cores; nothing is trained.

Source. H. Lee, lectures on self-attention (2021): the cost of the attention
matrix; Rabe & Staats 2021; Dao 2022; Beltagy 2020; Katharopoulos 2020.
"""

from research.attention.layer import Attention
from research.experiment import (
  BYTES_EXPONENT,
  MILLISECONDS,
  TIME_EXPONENT,
  Change,
  Claim,
  Experiment,
  Measure,
)
from research.linear.elu import LinearAttention
from research.masks import Causal, Window
from research.models.sequence import SequenceModel
from research.tasks.base import Task
from research.training.record import Training

BACKGROUND = """\
That the matrix has as many entries as there are pairs is certain, and so are
the leading powers of the operations. Rabe & Staats 2021 and Dao 2022 compute
the same numbers block by block without keeping the matrix: memory linear in
the length, and, since memory is what the dense form waits for, less time on
accelerators. Windows (Beltagy 2020) and linear attention (Katharopoulos 2020)
compute something else, in linear time and memory.

What is measured here is what remains of these powers in the compiled programs
of this laboratory, projections, gradients and overheads included, and how
much each form takes. How good a mixer is that looks at less is asked
elsewhere, on the pages recall and window."""


def experiment(scale: str) -> Experiment:
  """The page at a scale: "smoke", "laptop" or "accelerator"."""
  lengths, middle, long = _SIZES[scale]
  return Experiment(
    name="attention_cost",
    question=(
      "How do time and memory of attention grow with the length, and what "
      "changes the power?"
    ),
    background=BACKGROUND,
    task=Task(),
    model=SequenceModel(mixer=Attention(evaluation="dense"), width=64),
    training=Training(batch=1),
    variants=(
      Change("dense"),
      Change("blockwise", (("model.mixer.evaluation", "blockwise"),)),
      Change(
        "window",
        (
          (
            "model.mixer",
            Attention(mask=Causal() & Window(128), evaluation="blockwise"),
          ),
        ),
      ),
      Change("linear", (("model.mixer", LinearAttention()),)),
    ),
    claims=_claims(middle, long),
    lengths=lengths,
    scale=scale,
  )


_SIZES = {
  "smoke": ((32, 64, 128), 64, 128),
  "laptop": ((256, 512, 1024, 2048, 4096, 8192, 16384), 4096, 8192),
  "accelerator": (
    (256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536),
    4096,
    8192,
  ),
}
"""The lengths, and the two at which forms are compared."""


def _claims(middle: int, long: int) -> tuple[Claim, ...]:
  """The powers, and what is faster at two lengths."""
  return (
    _at_least("dense", BYTES_EXPONENT, 1.8),
    _at_least("dense", TIME_EXPONENT, 1.7),
    _at_most("blockwise", BYTES_EXPONENT, 1.1),
    _at_least("blockwise", TIME_EXPONENT, 1.7),
    _at_most("window", BYTES_EXPONENT, 1.1),
    _at_most("window", TIME_EXPONENT, 1.2),
    _at_most("linear", BYTES_EXPONENT, 1.1),
    _at_most("linear", TIME_EXPONENT, 1.2),
    Claim(
      "C16-blocks-are-faster",
      f"At length {middle:,} the whole matrix takes at least a tenth longer "
      "than blocks.",
      Measure("dense", f"length={middle}", metric=MILLISECONDS),
      Measure("blockwise", f"length={middle}", metric=MILLISECONDS),
      0.1,
      relative=True,
    ),
    Claim(
      "C16-window-is-faster",
      f"At length {long:,} all keys take at least twice as long as a window "
      "of 128, both by blocks.",
      Measure("blockwise", f"length={long}", metric=MILLISECONDS),
      Measure("window", f"length={long}", metric=MILLISECONDS),
      1.0,
      relative=True,
    ),
  )


_WORDS = {TIME_EXPONENT: "time", BYTES_EXPONENT: "memory"}


def _at_least(name: str, metric: str, power: float) -> Claim:
  """The exponent exceeds one by what `power` does."""
  kind = _WORDS[metric]
  return Claim(
    f"C16-{name}-{kind}",
    f"The {kind} of {name} grows with the power {power} of the length or "
    "faster.",
    Measure(name, metric=metric),
    "one",
    round(power - 1, 3),
  )


def _at_most(name: str, metric: str, power: float) -> Claim:
  """One exceeds the exponent by no less than −(power − 1)."""
  kind = _WORDS[metric]
  return Claim(
    f"C16-{name}-{kind}",
    f"The {kind} of {name} grows with the power {power} of the length or "
    "slower.",
    "one",
    Measure(name, metric=metric),
    round(1 - power, 3),
  )
