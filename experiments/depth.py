"""Depth (C17): do residuals and norms make depth trainable, and where?

Question. Blocks of attention and a feed-forward layer stand upon each other,
2 to 64 of them. Which placements of the norm let all depths learn, and which
need the residual connection? How large is the gradient of each block before
training?

Prediction. With a norm before each half, all depths learn, and the gradient
is as large in the first block as in the last. With the norm behind the sum,
shallow stacks learn, and deep ones do not with the same rates. Without norms
the numbers grow from block to block until nothing is learnt; without the
residual connection the tokens become alike, and no gradient comes through.
Refuted where an accuracy or a gradient misses the stated one.

Command. `python -m experiments run depth`

Minutes. 14 on 2 cores with 5 seeds.

Source. H. Lee, lectures on the Transformer (2021), in own words in
docs/questions.md; Xiong et al. 2020, Dong et al. 2021.
"""

import dataclasses
from typing import Any

from research.attention.layer import Attention
from research.convolution.shifted import Shifted
from research.experiment import Change, Claim, Experiment, Measure
from research.models.feed_forward import FeedForward
from research.models.sequence import SequenceModel
from research.tasks.recall import MultiQueryRecall
from research.training.record import SMOKE, Training

BACKGROUND = """\
Xiong 2020 shows that at the start of training the gradients of the last
blocks are large where the norm stands behind the sum, whatever the depth,
so that a warm-up is needed, and that they shrink with the root of the depth
where it stands before each half; with 6 to 24 layers on translation and BERT.
Wang 2019 and Nguyen 2019 could not train stacks of 20 and more layers with the
norm behind; Dong 2021 proves that without residual connections the output of
attention alone tends to a matrix of rank 1, doubly exponentially with depth.
Ding 2021 adds a second norm behind each half ("sandwich") to keep numbers
small. Here every placement has the same two learning rates and a short
warm-up; more patience may train what fails here. Width, steps and rates were
chosen in pilots with two of the seeds, in which the claims on accuracy held;
the first gradients of these two were seen as well."""


def experiment(scale: str) -> Experiment:
  """The page at a scale: "smoke", "laptop" or "accelerator"."""
  task, width, depths, training = _BASES[scale]
  model = SequenceModel(
    mixer=Shifted(Attention(heads=2)),
    width=width,
    feed_forward=FeedForward(expansion=2),
    depth="scanned",
  )
  return Experiment(
    name="depth",
    question="Which placements of norms and residuals make depth trainable?",
    background=BACKGROUND,
    task=task,
    model=model,
    training=training,
    variants=tuple(
      Change(f"{name}_{layers}", (*fields, ("model.layers", layers)))
      for name, fields in _PLACEMENTS.items()
      for layers in depths
    ),
    claims=_claims(depths),
    difficulty="pairs",
    gradients=True,
    scale=scale,
  )


_PLACEMENTS: dict[str, tuple[tuple[str, Any], ...]] = {
  "pre": (),
  "post": (("model.norm", "post"),),
  "sandwich": (("model.norm", "sandwich"),),
  "no_norm": (("model.norm", "none"),),
  "no_residual": (("model.residual", False),),
}

_LAPTOP = Training(
  steps=400,
  batch=32,
  learning_rates=(1e-3, 3e-3),
  seeds=5,
  warmup=40,
  evaluate_every=50,
  validation=256,
  test=1024,
)

_BASES: dict[str, tuple[MultiQueryRecall, int, tuple[int, ...], Training]] = {
  "smoke": (
    MultiQueryRecall(vocabulary=32, length=16, pairs=(4,)),
    8,
    (1, 3),
    SMOKE,
  ),
  "laptop": (
    MultiQueryRecall(vocabulary=16, length=16, pairs=(4,)),
    32,
    (2, 8, 24, 64),
    _LAPTOP,
  ),
  "accelerator": (
    MultiQueryRecall(vocabulary=64, length=64, pairs=(4, 8)),
    128,
    (2, 4, 8, 16, 32, 64),
    dataclasses.replace(
      _LAPTOP, steps=5000, batch=256, warmup=100, evaluate_every=250
    ),
  ),
}


def _claims(depths: tuple[int, ...]) -> tuple[Claim, ...]:
  least, some, most = depths[0], depths[1], depths[-1]
  return (
    *(
      Claim(
        f"{name}-{layers}-learns",
        f"{_WORDS[name]}, {layers} blocks learn: accuracy is 0.9 or more.",
        Measure(f"{name}_{layers}"),
        "zero",
        0.9,
      )
      for name, layers in (("pre", most), ("sandwich", most), ("post", least))
    ),
    *(
      Claim(
        f"{name}-{layers}-fails",
        f"{_WORDS[name]}, {layers} blocks stay 0.3 or more below the accuracy "
        "of as many with a norm before each half.",
        Measure(f"pre_{layers}"),
        Measure(f"{name}_{layers}"),
        0.3,
      )
      for name, layers in (
        ("post", most),
        ("no_norm", most),
        ("no_residual", some),
      )
    ),
    _gradients(f"pre_{most}", 1, most, -1.0),
    _gradients(f"pre_{most}", most, 1, -1.0),
    _gradients(f"no_norm_{most}", 1, most, 1.0),
    _gradients(f"no_residual_{most}", most, 1, 1.0),
  )


def _gradients(variant: str, more: int, less: int, powers: float) -> Claim:
  """10^powers or more between the first gradients of two blocks."""
  name, _, layers = variant.rpartition("_")
  told = (
    f"at least {10**powers:g} times as large in block {more} as in block {less}"
  )
  return Claim(
    f"{variant}-gradient-{more}",
    f"{_WORDS[name]}, before training the gradient is {told} of {layers}.",
    Measure(variant, f"block={more}", metric="initial_gradient"),
    Measure(variant, f"block={less}", metric="initial_gradient"),
    powers,
  )


_WORDS = {
  "pre": "With a norm before each half",
  "sandwich": "With norms before and behind each half",
  "post": "With the norm behind the sum",
  "no_norm": "Without norms",
  "no_residual": "Without residual connections",
}
