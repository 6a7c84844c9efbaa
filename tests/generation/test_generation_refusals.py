"""What `generate` and `beams` refuse, by name."""

import dataclasses
import re

import jax
import jax.numpy as jnp
import pytest

from research.generation.beam import Beam
from research.generation.generate import beams, generate
from research.generation.greedy import Greedy
from research.generation.sampling import Sampling
from research.places import whole
from research.positions.learned import LearnedPosition
from tests.generation.subjects import (
  LENGTHS,
  MODELS,
  PROMPT,
  SOURCE,
  C,
  N,
  attentive,
  small,
  variables_of,
)

MODEL = MODELS["attention"]
KEY = jax.random.key(3)


def call(model=MODEL, how=None, **changes):
  """`generate`, abstractly: what is refused is refused before it runs."""
  how = Greedy() if how is None else how
  variables = variables_of(MODEL)
  given_now = {"length": N, **changes}
  return generate(model, variables, how=how, **given_now)


def ready(**changes):
  return call(**{"prompt": PROMPT, **changes})


def packed(places):
  """Two sequences in every row."""
  segments = places.segments.at[:, 1].set(2)
  return dataclasses.replace(places, segments=segments)


REFUSED = {
  "temperature 0": (
    lambda: Sampling(temperature=0.0),
    "temperature = 0.0; allowed: above 0, finite",
  ),
  "temperature negative": (
    lambda: Sampling(temperature=-1.0),
    "temperature = -1.0; allowed: above 0",
  ),
  "temperature below float32": (
    lambda: Sampling(temperature=1e-38),
    "temperature = 1e-38; allowed: 1.2e-38 to 3.4e+38, as float32 has them",
  ),
  "temperature above float32": (
    lambda: Sampling(temperature=1e39),
    "temperature = 1e+39; allowed: 1.2e-38 to 3.4e+38",
  ),
  "top-p 0": (lambda: Sampling(top_p=0.0), "top_p = 0.0; allowed: above 0, to"),
  "top-p above 1": (lambda: Sampling(top_p=1.1), "top_p = 1.1; allowed: above"),
  "top-p no number": (
    lambda: Sampling(top_p="x"),
    "top_p = 'x'; allowed: a number, above 0, to 1",
  ),
  "temperature an array": (
    lambda: Sampling(temperature=jnp.float32(0.5)),
    "temperature = Array(0.5, dtype=float32",
  ),
  "top-k negative": (
    lambda: Sampling(top_k=-1),
    "top_k = -1; allowed: 0 or more",
  ),
  "top-k above the classes": (
    lambda: ready(how=Sampling(top_k=8), key=KEY),
    "top_k = 8; allowed: 0 to 7 for so many classes",
  ),
  "width 0": (lambda: Beam(width=0), "width = 0; allowed: 1 or more"),
  "width above the classes": (
    lambda: ready(how=Beam(width=8)),
    "width = 8; allowed: 1 to 7 for so many classes",
  ),
  "all beams too": (
    lambda: beams(MODEL, {}, PROMPT, how=Beam(width=8), length=N),
    "width = 8; allowed: 1 to 7 for so many classes",
  ),
  "penalty": (lambda: Beam(penalty=-0.1), "penalty = -0.1; allowed: 0 or more"),
  "penalty too large for the length": (
    lambda: ready(how=Beam(penalty=126.0)),
    "penalty = 126.0 with length = 5; allowed: 125.2 at most, as float32",
  ),
  "cached": (lambda: Greedy(cached="no"), "cached = 'no'; allowed: True or"),
  "no classes yet": (
    lambda: call(attentive(classes=0), source=SOURCE, end=1),
    "classes = 0; allowed: 1 or more, as the task says",
  ),
  "penalty no number": (
    lambda: Beam(penalty="a"),
    "penalty = 'a'; allowed: a number, 0 or more, finite",
  ),
  "end": (
    lambda: ready(end=7),
    "end = 7; allowed: a token of the vocabulary, 0 to 6",
  ),
  "end a truth value": (
    lambda: ready(end=True),
    "end = True; allowed: a token",
  ),
  "end no integer": (lambda: ready(end=1.0), "end = 1.0; allowed: a token of"),
  "length no integer": (
    lambda: ready(length=2.0),
    "length = 2.0; allowed: an integer, 1 or more",
  ),
  "way": (
    lambda: ready(how="greedy"),
    "how = 'greedy'; allowed: a way to write, as Greedy()",
  ),
  "one line's way for all lines": (
    lambda: beams(MODEL, {}, PROMPT, how=Greedy(), length=N),
    "how = Greedy(cached=True); allowed: Beam()",
  ),
  "begin": (
    lambda: call(attentive(), source=SOURCE, begin=-1),
    "begin = -1; allowed: a token of the vocabulary, 0 to 6",
  ),
  "begin with a prompt": (
    lambda: call(attentive(), source=SOURCE, prompt=PROMPT, begin=1),
    "begin = 1 with a prompt; allowed: None",
  ),
  "source with places of other rows": (
    lambda: call(attentive(), source=(SOURCE[0], whole(SOURCE[0][:2]))),
    "places.positions has shape (2, 4); allowed: (b, t) = (3, 4)",
  ),
  "source with places of another length": (
    lambda: call(attentive(), source=(SOURCE[0], whole(SOURCE[0][:, 1:]))),
    "places.positions has shape (3, 3); allowed: (b, t) = (3, 4)",
  ),
  "length": (lambda: ready(length=0), "length = 0; allowed: an integer, 1 or"),
  "length traced": (
    lambda: jax.jit(lambda n: ready(length=n))(3),
    "allowed: an integer, 1 or more",
  ),
  "lengths 0": (
    lambda: ready(lengths=jnp.array([4, 0, 1])),
    "lengths has 0; allowed: 1 to 4, the tokens of a prompt",
  ),
  "lengths too long": (
    lambda: ready(lengths=jnp.array([4, 5, 1])),
    "lengths has 5; allowed: 1 to 4",
  ),
  "lengths of other rows": (
    lambda: ready(lengths=jnp.array([4, 1])),
    "lengths has shape (2,); allowed: (3,)",
  ),
  "no prompt": (call, "prompt = None; allowed: tokens (b, t)"),
  "empty prompt": (
    lambda: ready(prompt=PROMPT[:, :0]),
    "prompt has shape (3, 0); allowed: (b, t), each 1 or more",
  ),
  "no prompts": (
    lambda: ready(prompt=PROMPT[:0]),
    "prompt has shape (0, 4); allowed: (b, t), each 1 or more",
  ),
  "prompt of one axis": (
    lambda: ready(prompt=PROMPT[0]),
    "prompt has shape (4,); allowed: (b, t), each 1 or more",
  ),
  "prompt a list": (
    lambda: ready(prompt=[[1, 2]]),
    "prompt has type list; allowed: an array",
  ),
  "prompt of no tokens": (
    lambda: ready(prompt=PROMPT + 0.5),
    "prompt has dtype float32; allowed: integers",
  ),
  "prompt of other tokens": (
    lambda: ready(prompt=PROMPT.at[1, 1].set(C)),
    "prompt has token 7; allowed: 0 to 6, the tokens of the vocabulary",
  ),
  "prompt of negative tokens": (
    lambda: call(
      attentive(vocabulary=9), prompt=PROMPT.at[0, 0].set(-1), source=SOURCE
    ),
    "prompt has token -1; allowed: 0 to 6",
  ),
  "lengths a list": (
    lambda: ready(lengths=[4, 1, 1]),
    "lengths has type list; allowed: an array",
  ),
  "lengths no integers": (
    lambda: ready(lengths=LENGTHS / 1.0),
    "lengths has dtype float32; allowed: integers",
  ),
  "source without places": (
    lambda: call(attentive(), source=SOURCE[0]),
    "allowed: (inputs, places)",
  ),
  "source of one axis": (
    lambda: call(attentive(), source=(PROMPT[0], SOURCE[1])),
    "source has shape (4,); allowed: (b, s), or (b, s, i)",
  ),
  "source of another width": (
    lambda: generate(
      attentive(vocabulary=0),
      {"params": {"source_embed": {"kernel": jnp.zeros((3, 8))}}},
      source=(jnp.zeros((3, 4, 2)), SOURCE[1]),
      length=N,
    ),
    "source has shape (3, 4, 2); allowed: (b, s, 3), as the model was made",
  ),
  "source of other tokens": (
    lambda: call(attentive(), source=(SOURCE[0].at[0, 0].set(C), SOURCE[1])),
    "source has token 7; allowed: 0 to 6, the tokens of the vocabulary",
  ),
  "source of several": (
    lambda: call(attentive(), source=(SOURCE[0], packed(SOURCE[1]))),
    "source has segment 2; allowed: 1, and 0 for padding",
  ),
  "too few positions to read": (
    lambda: call(
      attentive(source_position=LearnedPosition(length=3)), source=SOURCE
    ),
    "source needs 4 positions; allowed: up to the 3 of LearnedPosition",
  ),
  "too few positions to read, traced": (
    lambda: jax.jit(
      lambda source: call(
        attentive(source_position=LearnedPosition(length=3)), source=source
      )
    )(SOURCE),
    "source needs 4 positions; allowed: up to the 3 of LearnedPosition",
  ),
  "no source": (
    lambda: call(attentive()),
    "source = None; allowed: (inputs, places)",
  ),
  "source": (
    lambda: ready(source=SOURCE),
    "source was given to SequenceModel; allowed: None",
  ),
  "source of other rows": (
    lambda: ready(model=attentive(), prompt=PROMPT[:2], source=SOURCE),
    "source has 3 rows; allowed: 2, as many as the prompt",
  ),
  "no key": (
    lambda: ready(how=Sampling()),
    "key = None; allowed: a key, as Sampling draws",
  ),
  "seed": (
    lambda: ready(how=Sampling(), key=0),
    "key = 0; allowed: one key, as jax.random.key(0) makes it",
  ),
  "keys": (
    lambda: ready(how=Sampling(), key=jax.random.split(KEY, 3)),
    "allowed: one key, as jax.random.key(0) makes it",
  ),
  "key": (
    lambda: ready(key=KEY),
    "key was given; allowed: None, as Greedy draws nothing",
  ),
  "vectors": (
    lambda: ready(model=small(vocabulary=0)),
    "vocabulary = 0 is a model over vectors; allowed: a model over tokens",
  ),
  "pooling": (
    lambda: ready(model=small(pooling="last")),
    "pooling = 'last' does not write; allowed: 'none'",
  ),
  "other outputs": (
    lambda: ready(model=small(classes=9)),
    "classes = 9 with vocabulary 7; allowed: classes <= vocabulary",
  ),
  "too few positions": (
    lambda: ready(model=small(position=LearnedPosition(length=7))),
    "length = 5 behind a prompt of 4 tokens needs 8 positions; allowed: up to "
    "the 7 of LearnedPosition",
  ),
  "too few positions to decode": (
    lambda: call(
      attentive(target_position=LearnedPosition(length=4)), source=SOURCE
    ),
    "length = 5 behind a prompt of 1 tokens needs 5 positions; allowed: up to "
    "the 4 of LearnedPosition",
  ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, unchecked):
  make, message = REFUSED[name]
  with pytest.raises(ValueError, match=re.escape(message)):
    make()
