"""One program a request, rows for themselves, and all that is refused."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.generation.beam import Beam
from research.generation.generate import generate
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


def test_what_stands_on_padding_need_be_no_token():
  model = attentive(source_position=LearnedPosition(length=4))
  inputs, places = SOURCE
  far = dataclasses.replace(
    places, positions=jnp.where(places.valid, places.positions, 9)
  )
  source = jnp.where(places.valid, inputs, -1), far
  prompt = PROMPT.at[1, 2:].set(C)
  variables = variables_of(model)
  given_now = {"length": N, "lengths": LENGTHS}
  one, other = (
    generate(model, variables, prompt, source=source, **given_now)
    for prompt, source in ((PROMPT, SOURCE), (prompt, source))
  )
  assert (one.tokens == other.tokens).all()
  assert (one.scores == other.scores).all()


def test_padding_of_prompts_needs_no_positions():
  """The longest has 4 tokens: 8 positions are read, and not 10."""
  model = small(position=LearnedPosition(length=8))
  given_now = {"length": N, "lengths": LENGTHS}
  wider = jnp.pad(PROMPT, ((0, 0), (0, 2)))
  assert LENGTHS.max() + N - 1 == 8 and wider.shape[1] == 6
  one, other = (
    generate(model, variables_of(model), prompt, **given_now)
    for prompt in (PROMPT, wider)
  )
  assert (one.tokens == other.tokens).all()
  np.testing.assert_allclose(one.scores, other.scores, rtol=1e-5)


def test_integers_of_any_type_are_integers(unchecked):
  how = {"length": np.int64(2), "begin": np.int32(3), "end": np.int64(1)}
  model = MODELS["encoder-decoder"]
  found = generate(model, variables_of(model), source=SOURCE, **how)
  plain = {name: int(value) for name, value in how.items()}
  wanted = generate(model, variables_of(model), source=SOURCE, **plain)
  assert found.tokens.shape == (B, 2)
  assert (found.tokens == wanted.tokens).all()
