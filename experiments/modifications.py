"""Modifications: what do a few lines on scores change, near and far?

Question. Four changes of attention, each a function of one pair of a query
and a key: ALiBi, a soft cap, a mask between documents and a learned decay.
Which of them recall, and which still do in sequences twice and four times as
long?

Prediction. A causal mask tells order enough for recall, so attention without
positions recalls, and so it does with ALiBi, a soft cap or a learned decay.
Under a mask between documents of 8 tokens most keys are out of sight. At four
times the length neither ALiBi nor the cap loses more than attention without
positions does; a decay that was learned for short sequences does. Refuted
where a difference is on the wrong side of its smallest effect.

Command. `python -m experiments run modifications`

Minutes. 5 on 2 cores with 5 seeds.

Source. Press 2022 (ALiBi), Riviere 2024 (soft cap), Dong 2024 (FlexAttention);
H. Lee, lectures on self-attention (2021).
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from research.attention.layer import Attention
from research.experiment import Change, Claim, Experiment, Measure
from research.models.feed_forward import NoFeedForward
from research.models.sequence import SequenceModel
from research.tasks.recall import MultiQueryRecall
from research.training.record import SMOKE, Training

BACKGROUND = """\
Press 2022 trains language models with ALiBi on 1,024 tokens and tests them on
2,048 without loss, where rotary and sinusoidal positions lose. FlexAttention
(Dong 2024) made such changes functions of one pair, compiled to a kernel.
Here they are compiled by XLA, in blocks or all at once, and differentiated by
JAX itself, the learned decay included. One of the five seeds was run before
the claims were written; what the others say is new."""

HEADS = 4


def alibi(score, batch, head, query, key):
  """Far keys score lower, in every head at its own pace."""
  return score - 4.0 ** -(head + 1.0) * (query - key)


def soft_cap(score, batch, head, query, key):
  """Scores between −10 and 10."""
  return 10 * jnp.tanh(score / 10)


def same_document(batch, head, query, key):
  """Documents of 8 tokens, which do not see each other."""
  return query // 8 == key // 8


class Decay(nn.Module):
  """Far keys score lower, as steeply as each head learns."""

  heads: int = HEADS

  @nn.compact
  def __call__(self, score, batch, head, query, key):
    rate = self.param("rate", nn.initializers.normal(1.0), (self.heads,))
    return score - jax.nn.softplus(rate[head]) * (query - key)


def experiment(scale: str) -> Experiment:
  """The page at a scale: "smoke", "laptop" or "accelerator"."""
  task, model, training = _BASES[scale]
  mixers = {
    "plain": Attention(HEADS),
    "alibi": Attention(HEADS, score_mod=alibi),
    "soft_cap": Attention(HEADS, score_mod=soft_cap),
    "documents": Attention(HEADS, mask_mod=same_document),
    "decay": Attention(HEADS, score_mod=Decay()),
  }
  return Experiment(
    name="modifications",
    question=(
      "What do functions of one score change, at the length of training and "
      "beyond?"
    ),
    background=BACKGROUND,
    task=task,
    model=model,
    training=training,
    variants=tuple(
      Change(name, (("model.mixer", mixer),)) for name, mixer in mixers.items()
    ),
    tests=tuple(
      Change(f"length_{n}x", (("task.length", n * task.length),))
      for n in (2, 4)
    ),
    claims=_claims(),
    difficulty="pairs",
    scale=scale,
  )


_BASES = {
  "smoke": (
    MultiQueryRecall(vocabulary=16, length=16, pairs=(2, 4), power=1.0),
    SequenceModel(width=16, layers=2, feed_forward=NoFeedForward()),
    SMOKE,
  ),
  "laptop": (
    MultiQueryRecall(vocabulary=16, length=24, pairs=(2, 4, 6), power=1.0),
    SequenceModel(width=64, layers=2, feed_forward=NoFeedForward()),
    Training(
      steps=2000,
      batch=64,
      learning_rates=(2e-3, 5e-3),
      seeds=5,
      evaluate_every=100,
    ),
  ),
  "accelerator": (
    MultiQueryRecall(vocabulary=8192, length=256, pairs=(4, 8, 16), power=1.0),
    SequenceModel(width=128, layers=2, feed_forward=NoFeedForward()),
    Training(
      steps=20_000,
      batch=256,
      learning_rates=(4.64e-4, 2.15e-3),
      seeds=5,
      warmup=200,
      schedule="cosine",
      evaluate_every=500,
      validation=1024,
    ),
  ),
}


def _claims() -> tuple[Claim, ...]:
  far = "length_4x"
  recalls = tuple(
    Claim(
      f"{name}-recalls",
      f"Attention with {words} recalls: its accuracy is 0.95 or more.",
      Measure(name),
      "zero",
      0.95,
    )
    for name, words in (
      ("plain", "nothing but the mask"),
      ("alibi", "ALiBi"),
      ("soft_cap", "a soft cap"),
      ("decay", "a learned decay"),
    )
  )
  hidden = Claim(
    "documents-hide",
    "Attention inside of documents of 8 tokens recalls less than without, by "
    "0.5 or more.",
    Measure("plain"),
    Measure("documents"),
    0.5,
  )
  keeps = tuple(
    Claim(
      f"{name}-keeps",
      f"At 4 times the length, attention with {words} is within 0.05 of "
      "attention without positions.",
      Measure(name, task=far),
      Measure("plain", task=far),
      -0.05,
    )
    for name, words in (("alibi", "ALiBi"), ("soft_cap", "a soft cap"))
  )
  loses = Claim(
    "decay-loses",
    "At 4 times the length, attention with a learned decay is 0.05 or more "
    "below attention without positions.",
    Measure("plain", task=far),
    Measure("decay", task=far),
    0.05,
  )
  return (*recalls, hidden, *keeps, loses)
