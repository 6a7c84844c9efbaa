"""Recall by state: is what a mixer recalls bought by the size of its state?

Question. Multi-query associative recall again, with every mixer at several
widths. How does accuracy grow with the number of bytes that are carried to
the next token, and which mixers make more of a byte?

Prediction. A window of attention recalls as far as it reaches: accuracy rises
with the window, which is the plainest relation of state and recall there is.
At the bytes of the window that is nearest, gated linear attention and the
delta rule lie above it, as they choose what to keep; linear attention lies
below the delta rule, as it cannot choose what to forget. DeltaNet comes near
to full attention with fewer bytes. Hyena carries much and recalls little.
Refuted where a larger size of one mixer is no better, or one that should lie
above another does not.

Command. `python -m experiments run recall_by_state`

Minutes. 27 on 2 cores with 5 seeds.

Source. Arora et al. 2023 (Zoology), Arora et al. 2024 (Based).
"""

from experiments import recall
from research.attention.layer import Attention
from research.convolution.base_conv import BaseConv, LongBaseConv
from research.convolution.hyena import Hyena
from research.convolution.shifted import Shifted
from research.experiment import Change, Claim, Experiment, Measure
from research.linear.delta_net import DeltaNet
from research.linear.elu import LinearAttention
from research.linear.gated_delta import GatedDeltaNet
from research.linear.gla import GatedLinearAttention
from research.linear.mamba2 import Mamba2
from research.linear.retention import Retention
from research.masks import Causal, Window
from research.mixer import Mixer
from research.models.feed_forward import NoFeedForward
from research.models.hybrid import Hybrid
from research.models.sequence import SequenceModel
from research.recurrence.elman import Elman
from research.recurrence.gru import GRU
from research.recurrence.lru import LRU
from research.recurrence.lstm import LSTM
from research.recurrence.mamba import Mamba
from research.recurrence.min_gru import MinGRU
from research.recurrence.s4d import S4D
from research.recurrence.s5 import S5
from research.tasks.recall import MultiQueryRecall
from research.training.record import SMOKE, Training

BACKGROUND = """\
Zoology's figure of recall against state (mean over tests up to 1,024 tokens
and 256 pairs, two layers, read off the picture): a sliding window of 8, 16, …
1,024 tokens at width 128 has .08, .15, .31, .52, .66, .80, .94, 1.00 at 10 kB
to 1 MB; DeltaNet .79 at 9 kB, .96 at 34 kB, .995 at 133 kB; Gated DeltaNet
.89 at 17 kB, .99 at 67 kB; gated linear attention .53 at 5 kB, .77 at 18 kB,
.95 at 68 kB; Based .67 at 9 kB to .99 at 80 kB; Mamba-2 .52 at 8 kB to .85 at
98 kB; Mamba .70 at 16 kB, .85 at 98 kB; H3 .19 to .25 up to 1 MB, Hyena .19
at 0.5 MB to .41 at 2 MB; attention 1.0. One seed, the best of four learning
rates on the test set; but for Mamba, H3 and Hyena the first of the two layers
is a width-3 convolution.

Here sequences are shorter, all variants have the same number of layers, and
those without a short convolution of their own have a width-3 shift before
them. Bytes are those of float32, of both layers; a stream of attention
carries the keys and values of all tokens."""


def experiment(scale: str) -> Experiment:
  """The page at a scale: "smoke", "laptop" or "accelerator"."""
  task, model, training, widths, windows = _BASES[scale]
  ladder = (
    Change(f"window_{w}", (("model.mixer", Shifted(_window(w))),))
    for w in windows
  )
  return Experiment(
    name="recall_by_state",
    question="Is what a mixer recalls bought by the size of its state?",
    background=BACKGROUND,
    task=task,
    model=model,
    training=training,
    variants=(
      *ladder,
      Change("attention", (("model.mixer", Shifted(Attention())),)),
      *(
        Change(
          f"{name}_{width}", (("model.mixer", mixer), ("model.width", width))
        )
        for name, mixer in _mixers(task.length).items()
        for width in widths
      ),
    ),
    claims=(
      *_ladder(windows),
      *_sizes(widths),
      *_between(task.length, model, widths[-1], windows),
    ),
    difficulty="pairs",
    scale=scale,
  )


def _window(width: int) -> Attention:
  return Attention(mask=Causal() & Window(width))


def _mixers(length: int) -> dict[str, Mixer]:
  """Each at every width."""
  # The layers of Zoology's BaseConv, short and long in turn.
  base_conv = (BaseConv(), LongBaseConv(horizon=length))
  return {
    "linear_attention": Shifted(LinearAttention()),
    "retention": Shifted(Retention()),
    "gla": Shifted(GatedLinearAttention()),
    "mamba2": Mamba2(state=16),
    "delta_net": DeltaNet(),
    "gated_delta": GatedDeltaNet(expand_v=1.0),
    "mamba": Mamba(),
    "s4d": Shifted(S4D()),
    "s5": Shifted(S5()),
    "lru": Shifted(LRU()),
    "min_gru": Shifted(MinGRU()),
    "elman": Shifted(Elman()),
    "gru": Shifted(GRU()),
    "lstm": Shifted(LSTM()),
    "base_conv": Hybrid(base_conv),
    "hyena": Hyena(horizon=length),
  }


_BASES = {
  "smoke": (*recall.BASES["smoke"][:2], SMOKE, (8, 16), (4, 8)),
  "laptop": (
    MultiQueryRecall(vocabulary=64, length=64, pairs=(4, 8, 16)),
    SequenceModel(width=64, layers=2, feed_forward=NoFeedForward()),
    Training(
      steps=800,
      batch=32,
      learning_rates=(2e-3, 6e-3),
      seeds=5,
      evaluate_every=100,
    ),
    (16, 64),
    (4, 8, 16, 32),
  ),
  "accelerator": (
    MultiQueryRecall(length=512, pairs=(16, 64)),
    SequenceModel(width=128, layers=2, feed_forward=NoFeedForward()),
    recall.BASES["accelerator"][2],
    (64, 128, 256),
    (8, 16, 32, 64, 128, 256),
  ),
}


def _ladder(windows: tuple[int, ...]) -> list[Claim]:
  """Each step of the ladder, and its end."""
  steps = zip(windows, windows[1:], strict=False)
  return [
    *(
      Claim(
        f"window-{large}-{small}",
        f"A window of {large} tokens recalls more than one of {small}, by "
        "0.05 or more.",
        Measure(f"window_{large}"),
        Measure(f"window_{small}"),
        0.05,
      )
      for small, large in steps
    ),
    Claim(
      "attention-solves",
      "Attention over all tokens recalls: its accuracy is 0.98 or more.",
      Measure("attention"),
      "zero",
      0.98,
    ),
  ]


def _sizes(widths: tuple[int, ...]) -> list[Claim]:
  """What the largest width of a mixer has over the smallest one."""
  small, large = widths[0], widths[-1]
  return [
    Claim(
      f"size-{name}",
      f"{words} of width {large} recalls more than of width {small}, by 0.1 "
      "or more.",
      Measure(f"{name}_{large}"),
      Measure(f"{name}_{small}"),
      0.1,
    )
    for name, words in (
      ("linear_attention", "Linear attention"),
      ("gla", "Gated linear attention"),
      ("delta_net", "DeltaNet"),
      ("mamba", "Mamba"),
      ("lstm", "An LSTM"),
    )
  ]


def _between(
  length: int, model: SequenceModel, width: int, windows: tuple[int, ...]
) -> list[Claim]:
  """The mixers of the largest width against each other and the ladder."""
  gla, delta = (
    _above(name, words, (length, model, width), windows)
    for name, words in (
      ("gla", "Gated linear attention"),
      ("delta_net", "DeltaNet"),
    )
  )
  return [
    gla,
    delta,
    Claim(
      "delta-attention",
      f"DeltaNet of width {width} recalls as much as attention over all "
      "tokens, within 0.05.",
      Measure(f"delta_net_{width}"),
      Measure("attention"),
      -0.05,
    ),
    Claim(
      "delta-linear",
      "At the same width the delta rule recalls more than linear attention, "
      "by 0.1 or more.",
      Measure(f"delta_net_{width}"),
      Measure(f"linear_attention_{width}"),
      0.1,
    ),
    Claim(
      "hyena-carries-in-vain",
      f"Hyena of width {width} recalls less than a window of {windows[-1]} "
      "tokens, by 0.1 or more.",
      Measure(f"window_{windows[-1]}"),
      Measure(f"hyena_{width}"),
      0.1,
    ),
  ]


def _above(
  name: str,
  words: str,
  at: tuple[int, SequenceModel, int],
  windows: tuple[int, ...],
) -> Claim:
  """A mixer against the window that carries most nearly as much."""
  length, model, width = at

  def size(mixer: Mixer, width: int) -> int:
    return 4 * model.layers * mixer.state_size(width, length)

  own = size(_mixers(length)[name], width)
  rungs = {size(Shifted(_window(w)), model.width): w for w in windows}
  found = min(rungs, key=lambda rung: abs(rung - own))
  return Claim(
    f"{name}-window",
    f"{words} of width {width} ({own:,} bytes) recalls more than the window "
    f"of most nearly as many bytes, {rungs[found]} tokens ({found:,} bytes), "
    "by 0.05 or more.",
    Measure(f"{name}_{width}"),
    Measure(f"window_{rungs[found]}"),
    0.05,
  )
