"""Heads: do several kinds of relevance need several heads (C5)?

Question. The label of a token is made of the attributes of eight other
tokens, in their order, each in a relation of its own to the token. How many
heads does one layer of attention need for that, at equal width and equal
parameters? What of heads that share keys and values, talk, subtract, or are
gated, and of one head in several layers?

Prediction. One head solves one relation. Asked for eight, it can only mix
eight tokens into one, and falls behind eight heads: in principle mixtures of
unequal weights can be told apart, but ever less well. As many heads as
relations solve them. The strict reading, that every relation needs a head of
its own, should fail, as two tokens to a head are easily told apart. Layers
help one head, as each may fetch other tokens. Sharing keys and values costs
little. Refuted where one head comes within the smallest effect of eight.

Command. `python -m experiments run heads`

Minutes. 3 on 2 cores with 5 seeds.

Source. Vaswani et al. 2017; H. Lee, lectures on self-attention (2021), in own
words in docs/questions.md.
"""

from typing import Any

from research.attention.layer import Attention
from research.experiment import Change, Claim, Experiment, Measure
from research.heads.differential import Differential
from research.heads.talking import Talking
from research.models.sequence import SequenceModel
from research.positions.rotary import Rotary
from research.tasks.relations import Relations
from research.training.record import SMOKE, Training

BACKGROUND = """\
Vaswani 2017 (table 3, rows A; English to German, development set) varies the
heads of a Transformer at equal width and work: 1 head 24.9 BLEU, 4 heads
25.5, 8 heads 25.8, 16 heads 25.8, 32 heads 25.4. Voita 2019 finds heads with
a role (neighbouring positions, syntax, rare words) in a trained translation
encoder, and prunes 38 of its 48 heads at a loss of 0.15 BLEU. Michel 2019
removes many heads after training, in some layers all but one, at little
loss. So several heads help training; that each of them is needed later was
not found. Bhojanapalli 2020 shows that heads narrower than the sequence is
long cannot make every map of weights. Keys and values shared by all heads
cost little in translation (Shazeer 2019), shared by groups less (Ainslie
2023).

The number of relations was chosen in shorter runs with the first seed: with
four relations of four attributes, two heads were enough."""

# Narrow heads have few frequencies; a small base keeps them all quick enough
# to tell near tokens apart.
_POSITION = Rotary(base=100.0)


def experiment(scale: str) -> Experiment:
  """The page at a scale: "smoke", "laptop" or "accelerator"."""
  task, model, training = _BASES[scale]
  return Experiment(
    name="heads",
    question=(
      "Does a label made of several relations need several heads, at equal "
      "width?"
    ),
    background=BACKGROUND,
    task=task,
    model=model,
    training=training,
    variants=(
      *(_change(f"heads_{heads}", heads) for heads in (1, 2, 4, 8)),
      *(_fewer(task, number) for number in (1, 2, 4)),
      Change(
        "one_head_deep",
        (("model.mixer", _attention(1)), ("model.layers", 4)),
      ),
      _change("multi_query", 4, key_heads=1),
      _change("grouped", 4, key_heads=2),
      _change("talking", 4, joint=Talking()),
      _change("differential", 4, joint=Differential()),
      _change("gated", 4, gate="head"),
    ),
    claims=(*_solved(), *_compared(), *_ways()),
    difficulty="different",
    scale=scale,
  )


def _attention(heads: int, **fields: Any) -> Attention:
  return Attention(heads=heads, position=_POSITION, **fields)


def _change(name: str, heads: int, **fields: Any) -> Change:
  return Change(name, (("model.mixer", _attention(heads, **fields)),))


def _fewer(task: Relations, number: int) -> Change:
  """One head, asked for the first relations alone."""
  return Change(
    f"one_head_{number}_of_8",
    (
      ("model.mixer", _attention(1)),
      ("task.distances", task.distances[:number]),
    ),
  )


_BASES = {
  "smoke": (
    Relations(attributes=2, distances=(1, 2, 3, 4, 5, 6, 7, 8), length=10),
    SequenceModel(width=16, layers=1),
    SMOKE,
  ),
  "laptop": (
    Relations(attributes=2, distances=(1, 2, 3, 4, 5, 6, 7, 8), length=16),
    SequenceModel(width=64, layers=1),
    Training(
      steps=800,
      batch=32,
      learning_rates=(2e-3, 4e-3),
      seeds=5,
      evaluate_every=100,
      test=2048,
    ),
  ),
  "accelerator": (
    Relations(attributes=2, distances=(1, 2, 3, 5, 8, 13, 21, 34), length=128),
    SequenceModel(width=256, layers=1),
    Training(
      steps=10_000,
      batch=128,
      learning_rates=(3e-4, 1e-3, 3e-3),
      seeds=5,
      warmup=200,
      evaluate_every=250,
      validation=1024,
    ),
  ),
}


def _solved() -> list[Claim]:
  return [
    Claim(
      "C5-one-relation",
      "One head solves one relation: its accuracy is 0.98 or more.",
      Measure("one_head_1_of_8"),
      "zero",
      0.98,
    ),
    Claim(
      "C5-eight-heads",
      "Eight heads solve eight relations: their accuracy is 0.98 or more.",
      Measure("heads_8"),
      "zero",
      0.98,
    ),
  ]


def _compared() -> list[Claim]:
  return [
    Claim(
      "C5-one-is-not-enough",
      "Eight heads are 0.1 or more better than one at eight relations.",
      Measure("heads_8"),
      Measure("heads_1"),
      0.1,
    ),
    Claim(
      "C5-two-beat-one",
      "Two heads are 0.1 or more better than one at eight relations.",
      Measure("heads_2"),
      Measure("heads_1"),
      0.1,
    ),
    Claim(
      "C5-a-head-each",
      "Each relation needs a head of its own: eight heads are 0.1 or more "
      "better than four at eight relations.",
      Measure("heads_8"),
      Measure("heads_4"),
      0.1,
    ),
    Claim(
      "C5-depth",
      "One head in each of four layers is 0.1 or more better than one head in "
      "one layer.",
      Measure("one_head_deep"),
      Measure("heads_1"),
      0.1,
    ),
  ]


def _ways() -> list[Claim]:
  return [
    Claim(
      f"C5-{name}-as-good",
      f"{words} are as good as four plain heads, within 0.05.",
      Measure(name),
      Measure("heads_4"),
      -0.05,
    )
    for name, words in (
      ("multi_query", "Four heads that share one head of keys and values"),
      ("grouped", "Four heads that share two heads of keys and values"),
      ("talking", "Four talking heads"),
      ("differential", "Four differential heads"),
      ("gated", "Four gated heads"),
    )
  ]
