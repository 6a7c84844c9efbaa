"""State tracking: who follows parity, counting and permutations, and how far?

Question. Every token changes a state, and the state is asked for: bits and
their parity; steps on a circle of five; exchanges of two among five things,
whose 120 orders form the group S5. Which mixers learn the rule well enough to
follow it beyond the training length, at 2, 4 and 8 times that length?

Prediction. Recurrences whose step is not linear (Elman, LSTM, GRU) keep the
state at any length. Linear ones follow parity only if a token can turn the
sign of what is kept: DeltaNet with eigenvalues of both signs does, DeltaNet,
gated linear attention, linear attention and Mamba without do not, nor does
attention. For S5 the same linear recurrences and attention fail once
sequences are long. Refuted where one that should fail is
right more often than chance and the smallest effect, or one that should
follow is wrong more often.

Command. `python -m experiments run state_tracking`

Minutes. 30 on 2 cores with 5 seeds.

Source. Merrill et al. 2024, Grazzi et al. 2025, Sarrof et al. 2024, Delétang
et al. 2023.
"""

from research.attention.layer import Attention
from research.experiment import Change, Claim, Experiment, Measure
from research.linear.delta_net import DeltaNet
from research.linear.elu import LinearAttention
from research.linear.gla import GatedLinearAttention
from research.mixer import Mixer
from research.models.sequence import SequenceModel
from research.positions.alibi import ALiBi
from research.recurrence.elman import Elman
from research.recurrence.gru import GRU
from research.recurrence.lstm import LSTM
from research.recurrence.mamba import Mamba
from research.tasks.words import GroupWords
from research.training.record import SMOKE, Training

BACKGROUND = """\
Delétang 2023 trains on lengths up to 40 and tests up to 500: recurrent
networks solve parity and cycle navigation at all lengths, Transformers with
any of five position encodings stay near chance (parity 52%, cycle navigation
62%). Merrill 2024 shows that Transformers and linear recurrences with
diagonal matrices are limited to problems that circuits of constant depth
solve, and S5 (like A5) is none if these circuits are what they are believed
to be; in their runs a recurrent network learns A5 with one layer, S4, Mamba
and Transformers need more layers the longer the words. Sarrof 2024 and Grazzi
2025 show that no positive eigenvalues can follow parity over all lengths in
finite precision, and that counting modulo 3 and more needs matrices that are
not triangular; with eigenvalues down to −1, Mamba and DeltaNet follow parity.
A product of several reflections is needed for larger groups; one reflection a
token exchanges two things, which is what the tokens of the third task do.

Attention has ALiBi, which kept its accuracy beyond the training length where
the question was a near one (page positions), so that a failure is not that of
the positions. All variants have the same width and depth. Length, steps and
rates of scale laptop were chosen by the training losses of LSTM, Elman and
DeltaNet in pilots with two of the seeds."""

TIMES = (2, 4, 8)
"""Lengths of the tests, in lengths of training."""

_HEADS = 4

MIXERS: dict[str, Mixer] = {
  "elman": Elman(),
  "lstm": LSTM(),
  "gru": GRU(),
  "delta_net_negative": DeltaNet(heads=_HEADS, negative_eigenvalues=True),
  "delta_net": DeltaNet(heads=_HEADS),
  "gla": GatedLinearAttention(heads=_HEADS),
  "linear_attention": LinearAttention(heads=_HEADS),
  "mamba": Mamba(),
  "attention": Attention(heads=_HEADS, position=ALiBi()),
}

SOME = ("elman", "lstm", "delta_net_negative", "gla", "mamba", "attention")
"""Those that also count and exchange."""


def experiment(scale: str) -> Experiment:
  """The page at a scale: "smoke", "laptop" or "accelerator"."""
  length, model, training = _BASES[scale]
  groups = {
    "parity": (MIXERS, ()),
    "count": (SOME, (("task.group", "Z5"),)),
    "swaps": (SOME, (("task.group", "S5"),)),
  }
  return Experiment(
    name="state_tracking",
    question=(
      "Which mixers follow a state that every token changes, beyond the "
      "training length?"
    ),
    background=BACKGROUND,
    task=GroupWords("Z2", tokens="generators", length=length),
    model=model,
    training=training,
    variants=tuple(
      Change(f"{task}_{name}", (("model.mixer", MIXERS[name]), *fields))
      for task, (names, fields) in groups.items()
      for name in names
    ),
    tests=tuple(
      Change(
        f"length_{n}x",
        (("task.length", n * length), ("task.scored", "last")),
      )
      for n in TIMES
    ),
    claims=(*_parity(), *_others()),
    difficulty="position",
    scale=scale,
  )


_NEVER = 1.1
"""An accuracy at which members would stop: what is learnt well within the
training length is learnt for longer ones after that."""

_BASES = {
  "smoke": (4, SequenceModel(width=16, layers=1), SMOKE),
  "laptop": (
    16,
    SequenceModel(width=64, layers=1),
    Training(
      steps=2000,
      batch=64,
      learning_rates=(2e-3, 5e-3),
      seeds=5,
      evaluate_every=200,
      target=_NEVER,
    ),
  ),
  "accelerator": (
    64,
    SequenceModel(width=128, layers=2),
    Training(
      steps=20_000,
      batch=256,
      learning_rates=(3e-4, 1e-3, 3e-3),
      seeds=5,
      warmup=200,
      schedule="cosine",
      evaluate_every=500,
      validation=1024,
      target=_NEVER,
    ),
  ),
}

_FAR = f"length_{TIMES[-1]}x"

_WORDS = {
  "elman": "an Elman network",
  "lstm": "an LSTM",
  "gru": "a GRU",
  "delta_net_negative": "DeltaNet with eigenvalues of both signs",
  "delta_net": "DeltaNet",
  "gla": "gated linear attention",
  "linear_attention": "linear attention",
  "mamba": "Mamba",
  "attention": "attention",
}

_STATES = {
  "parity": "the parity of the bits",
  "count": "steps modulo 5",
  "swaps": "exchanges among five things (S5)",
}


def _parity() -> list[Claim]:
  """All mixers, and what the sign of an eigenvalue is worth."""
  sign = Claim(
    "parity-sign",
    f"At {TIMES[-1]} times the training length, DeltaNet with eigenvalues of "
    "both signs follows parity 0.3 or more better than without.",
    Measure("parity_delta_net_negative", task=_FAR),
    Measure("parity_delta_net", task=_FAR),
    0.3,
  )
  follow = ("elman", "lstm", "gru", "delta_net_negative")
  return [
    *(_follows("parity", name) for name in follow),
    sign,
    *(_fails("parity", name) for name in MIXERS if name not in follow),
  ]


def _others() -> list[Claim]:
  return [
    claim
    for task in ("count", "swaps")
    for claim in (
      _follows(task, "lstm"),
      *(_fails(task, name) for name in ("gla", "mamba", "attention")),
    )
  ]


def _follows(task: str, name: str) -> Claim:
  return Claim(
    f"{task}-{name}",
    f"At {TIMES[-1]} times the training length, {_WORDS[name]} follows "
    f"{_STATES[task]}: its accuracy is 0.9 or more.",
    Measure(f"{task}_{name}", task=_FAR),
    "zero",
    0.9,
  )


def _fails(task: str, name: str) -> Claim:
  return Claim(
    f"{task}-{name}",
    f"At {TIMES[-1]} times the training length, {_WORDS[name]} does not "
    f"follow {_STATES[task]}: it is no better than chance, by 0.1 at most.",
    "chance",
    Measure(f"{task}_{name}", task=_FAR),
    -0.1,
  )
