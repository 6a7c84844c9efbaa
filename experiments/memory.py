"""Memory (C11): does a recurrence remember the far left, and attention any?

Question. A row begins with a symbol; distractors follow; then a mark asks for
the symbol. At which distance do mixers still know it? How strongly does the
answer depend on the symbol before training, and after, by distance? And what
of a symbol that stands to the right?

Prediction. A recurrent network reads the symbol through as many steps as the
distance: before training the slope of its answer falls with a power of a
number below 1, so that training finds near symbols, and far ones late or
never. Attention is one step away from every token: its slope falls no faster
than one over the distance, and it is as good far as near. Linear recurrences
whose first rates are made for long memory (S4D, S5, LRU) lie between, and so
do gated ones, which can learn to keep. A recurrence from left to right is at
chance where the symbol stands to the right; one in both directions is not.
Refuted where an accuracy or a slope misses the stated one.

Command. `python -m experiments run memory`

Minutes. 11 on 2 cores with 5 seeds.

Source. H. Lee, lectures on self-attention (2021), in own words in
docs/questions.md; Bengio et al. 1994.
"""

import math

from research.attention.layer import Attention
from research.convolution.base_conv import LongBaseConv
from research.convolution.hyena import Hyena
from research.convolution.long import LongConvolution
from research.convolution.short import ShortConvolution
from research.experiment import Bound, Change, Claim, Experiment, Measure
from research.linear.delta_net import DeltaNet
from research.linear.elu import LinearAttention
from research.linear.gated_delta import GatedDeltaNet
from research.linear.gla import GatedLinearAttention
from research.linear.mamba2 import Mamba2
from research.linear.retention import Retention
from research.mixer import Mixer
from research.models.sequence import SequenceModel
from research.recurrence.bidirectional import Bidirectional
from research.recurrence.elman import Elman
from research.recurrence.gru import GRU
from research.recurrence.lru import LRU
from research.recurrence.lstm import LSTM
from research.recurrence.mamba import Mamba
from research.recurrence.min_gru import MinGRU
from research.recurrence.s4d import S4D
from research.recurrence.s5 import S5
from research.tasks.first import FirstSymbol
from research.training.record import SMOKE, Training

BACKGROUND = """\
Bengio 1994 shows that a recurrent network that keeps a bit against noise has
gradients that shrink with every step; Hochreiter and Schmidhuber 1997 made
the cell of the LSTM for this. At the start of training its forget gate is
σ(1) = 0.73 here, so that half of a gradient is lost after 2.2 tokens. Linear
recurrences start with rates spread up to long memories (Gu 2022, Orvieto
2023). Attention's path has length 1 at every distance (Vaswani 2017, table
1), but its first weights are about alike, 1/n each. In copying and selective
copying tasks of 256 to 4,096 tokens (Arjovsky 2016, Gu and Dao 2023) nothing
like this is measured by distance.

Every row draws one of the distances, so that near symbols can teach what far
ones need: a gate that learnt to write symbols and nothing else keeps them at
any distance. The mixers have one layer, so that one path counts. No variant
knows positions; what has to be found looks different from everything else."""


def experiment(scale: str) -> Experiment:
  """The page at a scale: "smoke", "laptop" or "accelerator"."""
  task, model, training, beyond = _BASES[scale]
  right = ("task.side", "right")
  return Experiment(
    name="memory",
    question=(
      "At which distance is a symbol still known, and does the slope of the "
      "answer reach it?"
    ),
    background=BACKGROUND,
    task=task,
    model=model,
    training=training,
    variants=(
      *(
        Change(name, (("model.mixer", mixer),))
        for name, mixer in _mixers(task.length).items()
      ),
      Change("lstm_right", (("model.mixer", LSTM()), right)),
      Change("bidirectional_lstm_right", (("model.mixer", _BOTH), right)),
    ),
    tests=(Change("beyond", (("task.distances", beyond),)),),
    claims=(*_far(task), *_kept(task), *_slopes(task), *_right(task)),
    bounds=tuple(
      Bound(name, f"distance={distance}", task.chance)
      for name, distances in (
        ("lstm_right", task.distances),
        ("short_convolution", task.distances),
      )
      for distance in distances
      if distance >= ShortConvolution().kernel_size
    ),
    difficulty="distance",
    slopes=True,
    scale=scale,
  )


_BOTH = Bidirectional(LSTM(), LSTM(reverse=True))


def _mixers(length: int) -> dict[str, Mixer]:
  return {
    "attention": Attention(),
    "elman": Elman(),
    "lstm": LSTM(),
    "gru": GRU(),
    "min_gru": MinGRU(),
    "s4d": S4D(),
    "s5": S5(),
    "lru": LRU(),
    "mamba": Mamba(),
    "mamba2": Mamba2(state=16),
    "linear_attention": LinearAttention(),
    "retention": Retention(heads=4),
    "gla": GatedLinearAttention(),
    "delta_net": DeltaNet(),
    "gated_delta": GatedDeltaNet(),
    "short_convolution": ShortConvolution(),
    "base_conv": LongBaseConv(horizon=length),
    "long_convolution": LongConvolution(horizon=length),
    "hyena": Hyena(horizon=length),
  }


_BASES = {
  "smoke": (
    FirstSymbol(symbols=2, distractors=2, distances=(4, 8)),
    SequenceModel(width=16, layers=1),
    SMOKE,
    (16,),
  ),
  "laptop": (
    FirstSymbol(distances=(8, 16, 32, 64, 128, 256)),
    SequenceModel(width=32, layers=1),
    Training(
      steps=600,
      batch=16,
      learning_rates=(1e-3, 4e-3),
      seeds=5,
      evaluate_every=100,
      validation=256,
    ),
    (512, 1024),
  ),
  "accelerator": (
    FirstSymbol(distances=(8, 16, 32, 64, 128, 256, 512, 1024)),
    SequenceModel(width=128, layers=1),
    Training(
      steps=10_000,
      batch=128,
      learning_rates=(3e-4, 1e-3, 3e-3),
      seeds=5,
      warmup=200,
      evaluate_every=500,
      validation=1024,
    ),
    (2048, 4096),
  ),
}

_RECURRENT = {
  "elman": "an Elman network",
  "lstm": "an LSTM",
  "gru": "a GRU",
}

_LONG = {"s4d": "S4D", "s5": "S5", "lru": "LRU", "mamba": "Mamba"}


def _ends(task: FirstSymbol) -> tuple[int, int]:
  return min(task.distances), max(task.distances)


def _far(task: FirstSymbol) -> list[Claim]:
  first, last = _ends(task)
  near, far = f"distance={first}", f"distance={last}"
  claims = [
    Claim(
      "C11-attention-solves",
      f"Attention knows the symbol at distance {last}: accuracy is 0.98 or "
      "more.",
      Measure("attention", far),
      "zero",
      0.98,
    ),
    Claim(
      "C11-any-distance",
      f"Attention is as good at distance {last} as at distance {first}, "
      "within 0.02.",
      Measure("attention", far),
      Measure("attention", near),
      -0.02,
    ),
  ]
  for name, words in _RECURRENT.items():
    claims += [
      Claim(
        f"C11-{name}-fades",
        f"At distance {last}, {words} is 0.1 or more worse than at distance "
        f"{first}.",
        Measure(name, near),
        Measure(name, far),
        0.1,
      ),
      Claim(
        f"C11-attention-{name}",
        f"Attention is 0.1 or more better than {words} at distance {last}.",
        Measure("attention", far),
        Measure(name, far),
        0.1,
      ),
    ]
  return claims


def _kept(task: FirstSymbol) -> list[Claim]:
  _, last = _ends(task)
  far = f"distance={last}"
  return [
    Claim(
      f"C11-{name}-keeps",
      f"{words} is as good as attention at distance {last}, within 0.1.",
      Measure(name, far),
      Measure("attention", far),
      -0.1,
    )
    for name, words in _LONG.items()
  ]


def _slopes(task: FirstSymbol) -> list[Claim]:
  first, last = _ends(task)
  near, far = f"distance={first}", f"distance={last}"
  share = math.log10(last / first)
  return [
    *(
      Claim(
        f"C11-slope-{name}",
        f"Before training, the slope of {words} at the symbol is 3 powers of "
        f"ten or more smaller at distance {last} than at distance {first}.",
        Measure(name, near, metric="initial_slope"),
        Measure(name, far, metric="initial_slope"),
        3.0,
      )
      for name, words in _RECURRENT.items()
    ),
    Claim(
      "C11-slope-attention",
      "Before training, attention's slope falls no faster than one over the "
      f"distance: from {first} to {last} by {share:.2f} powers of ten, and "
      "0.5 at most beyond that.",
      Measure("attention", far, metric="initial_slope"),
      Measure("attention", near, metric="initial_slope"),
      -share - 0.5,
    ),
    Claim(
      "C11-slope-trained",
      f"After training, attention's slope at distance {last} is that at "
      f"distance {first}, within 0.5 powers of ten.",
      Measure("attention", far, metric="slope"),
      Measure("attention", near, metric="slope"),
      -0.5,
    ),
  ]


def _right(task: FirstSymbol) -> list[Claim]:
  first, _ = _ends(task)
  near = f"distance={first}"
  return [
    Claim(
      "C11-left-alone",
      "An LSTM from left to right is no better than chance where the symbol "
      "stands to the right, by 0.02 at most.",
      "chance",
      Measure("lstm_right"),
      -0.02,
    ),
    Claim(
      "C11-both-sides",
      "One in both directions is 0.3 or more better than chance there, at "
      f"distance {first}.",
      Measure("bidirectional_lstm_right", near),
      "chance",
      0.3,
    ),
  ]
