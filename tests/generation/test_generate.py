"""One program a request, rows for themselves, and all that is refused."""

import re

import jax
import jax.numpy as jnp
import pytest

from research.generation.beam import Beam
from research.generation.generate import beams, generate
from research.generation.greedy import Greedy
from research.generation.sampling import Sampling
from research.generation.writer import Writer
from research.models.sequence import SequenceModel
from research.places import whole
from research.positions.learned import LearnedPosition
from research.recurrence.gru import GRU
from tests.generation.subjects import (
  LENGTHS,
  MODELS,
  PROMPT,
  SOURCE,
  B,
  C,
  N,
  T,
  attentive,
  given,
  small,
  variables_of,
)

MODEL = MODELS["attention"]
KEY = jax.random.key(3)
WAYS = {"greedy": Greedy(), "sampling": Sampling(), "beam": Beam(3)}


class Counted(SequenceModel):
  """Notes how often it is traced."""

  def __call__(self, *given, **how):
    CALLS.append(given[0].shape)
    return super().__call__(*given, **how)


CALLS: list[tuple[int, ...]] = []


def test_prompts_and_steps_are_traced_once():
  model = Counted(GRU(hidden=4), layers=1, width=8, vocabulary=C, classes=C)
  variables = model.init(KEY, PROMPT, whole(PROMPT))
  CALLS.clear()
  first = generate(model, variables, PROMPT, length=N)
  steps = [shape for shape in CALLS if shape == (B, 1)]
  assert len(steps) == 1  # for all tokens
  assert (B, T) in CALLS
  CALLS.clear()
  again = generate(model, variables, (PROMPT + 1) % C, length=N)
  assert not CALLS
  assert (again.scores != first.scores).any()


@pytest.mark.parametrize("name", WAYS)
def test_a_row_does_not_depend_on_its_company(name):
  how, variables = WAYS[name], variables_of(MODEL)
  key = KEY if how.random else None

  @jax.jit
  def run(prompt, lengths):
    return generate(
      MODEL,
      variables,
      prompt,
      how=how,
      length=N,
      lengths=lengths,
      end=1,
      key=key,
    )

  together = run(PROMPT, LENGTHS)
  others = PROMPT.at[1:].set((PROMPT[1:] + 3) % C)
  elsewhere = run(others, jnp.array([LENGTHS[0], T, 1], jnp.int32))
  # What stands on padding is not read.
  poisoned = run(PROMPT.at[1, 2:].set(C - 1).at[2, 3].set(0), LENGTHS)
  for one, other, last in zip(together, elsewhere, poisoned, strict=True):
    assert (one[0] == other[0]).all()
    assert (one == last).all()


def test_the_cache_of_a_row_that_has_ended_stays():
  writer = Writer(MODEL, variables_of(MODEL))

  @jax.jit
  def run():
    reads, _, before = writer.prefill(PROMPT, LENGTHS, T + 1)
    going = jnp.array([True, False, True])
    return before, reads.step(before, PROMPT[:, 0], LENGTHS, going)[1]

  for old, new in zip(*map(jax.tree.leaves, run()), strict=True):
    assert (old[1] == new[1]).all()
    assert (old[0] != new[0]).any()


def call(model=MODEL, how=None, **changes):
  """`generate`, abstractly: what is refused is refused before it runs."""
  how = Greedy() if how is None else how
  variables = variables_of(MODEL)
  given_now = {"length": N, **changes}
  return generate(model, variables, how=how, **given_now)


def ready(**changes):
  return call(**{"prompt": PROMPT, **changes})


REFUSED = {
  "temperature 0": (
    lambda: Sampling(temperature=0.0),
    "temperature = 0.0; allowed: above 0, finite",
  ),
  "temperature negative": (
    lambda: Sampling(temperature=-1.0),
    "temperature = -1.0; allowed: above 0",
  ),
  "top-p 0": (lambda: Sampling(top_p=0.0), "top_p = 0.0; allowed: above 0, to"),
  "top-p above 1": (lambda: Sampling(top_p=1.1), "top_p = 1.1; allowed: above"),
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
  "end": (
    lambda: ready(end=7),
    "end = 7; allowed: a token of the vocabulary, 0 to 6",
  ),
  "begin": (
    lambda: call(attentive(), source=SOURCE, begin=-1),
    "begin = -1; allowed: a token of the vocabulary, 0 to 6",
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
    "prompt has shape (3, 0); allowed: (b, t) with t = 1 or more",
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


def go_on(model, cache, *source):
  """Shapes of one more token behind what the cache holds."""
  token = jnp.zeros((B, 1), jnp.int32)
  more = {"method": "decode"} if source else {}

  def step(cache):
    here = (token, whole(token), *source)
    variables = model.init(KEY, *here, **more)
    variables = {**variables, "cache": cache}
    return model.apply(variables, *here, mutable=["cache"], **more)

  return jax.eval_shape(step, cache)


@pytest.mark.parametrize("name", MODELS)
def test_a_cache_of_another_model_or_batch_size_is_refused(name):
  model = MODELS[name]
  other = {"recurrence": small(GRU(hidden=3), layers=1)}
  wide = other.get(name, model.copy(width=16))
  read, wider = ((), ())
  if "source" in given(model):
    read, wider = (((jnp.zeros((B, 4, d)), SOURCE[1]),) for d in (8, 16))
  cache = model.start(B, 6, *read)
  go_on(model, cache, *read)
  fewer = jax.tree.map(lambda leaf: leaf[:2], cache)
  for wrong in (fewer, wide.start(B, 6, *wider)):
    with pytest.raises(
      ValueError, match=r"cache\..*block_0\..* has shape \(.*; allowed: \("
    ):
      go_on(model, wrong, *read)
