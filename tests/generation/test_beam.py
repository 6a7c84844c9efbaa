"""Beam search against all sequences there are, and against a plain one."""

import functools
import itertools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.attention.layer import Attention
from research.generation.beam import Beam
from research.generation.generate import beams, generate
from research.places import Places, gather
from tests.generation.subjects import small
from tests.tolerance import assert_close

C, B, T = 64, 2, 3
"""Many classes, so that a beam may be wide; few of them can come."""

MODEL = small(layers=1, vocabulary=C, classes=C)
PROMPT = jnp.array([[5, 9, 1], [7, 0, 0]], jnp.int32)
LENGTHS = jnp.array([3, 1], jnp.int32)
NEVER = -100.0

Line = tuple[int, ...]


@functools.cache
def variables_of(seed: int, likely: int) -> Any:
  """Random parameters with which tokens from `likely` on never come."""
  tokens = jnp.zeros((1, 2), jnp.int32)
  places = Places(tokens, tokens + 1)
  key = jax.random.key(seed)
  variables = jax.tree.map(
    lambda leaf: 1.5 * leaf, jax.jit(MODEL.init)(key, tokens, places)
  )
  readout = variables["params"]["readout"]
  readout["bias"] = jnp.where(jnp.arange(C) < likely, 0.0, NEVER)
  return variables


@jax.jit
def log_p(variables: Any, tokens: Any, places: Places) -> Any:
  return jax.nn.log_softmax(MODEL.apply(variables, tokens, places))


def table(seed: int, likely: int, length: int, row: int) -> dict[Line, Any]:
  """The log probabilities behind every line, [c] by line."""
  lines = np.array([*itertools.product(range(likely), repeat=length)])
  size = int(LENGTHS[row])
  tokens = np.zeros((256, T + 4), np.int32)
  tokens[:, :size] = PROMPT[row, :size]
  tokens[: len(lines), size : size + length] = lines
  index = np.broadcast_to(np.arange(T + 4), tokens.shape)
  inside = (index < size + length).astype(np.int32)
  p = log_p(variables_of(seed, likely), tokens, Places(index, inside))
  p = np.asarray(p, float)
  return {
    tuple(map(int, line[:number])): p[i, size + number - 1]
    for i, line in enumerate(lines)
    for number in range(length)
  }


def divided(score: float, count: int, penalty: float) -> float:
  return score / ((5 + count) / 6) ** penalty


def plain_search(
  known: dict[Line, Any],
  likely: int,
  length: int,
  end: int | None,
  width: int,
  penalty: float,
) -> list[tuple[float, float, Line]]:
  """Rank, score and line; all there are if `width` is large enough."""
  live: list[tuple[float, Line]] = [(0.0, ())]
  found = []
  for number in range(1, length + 1):
    longer = sorted(
      (
        (score + known[line][token], (*line, token))
        for score, line in live
        for token in range(likely)
      ),
      reverse=True,
    )[:width]
    live = [(score, line) for score, line in longer if line[-1] != end]
    over = longer if number == length else set(longer) - set(live)
    found += [
      (divided(score, number, penalty), score, line) for score, line in over
    ]
  return sorted(found, reverse=True)[:width]


SEARCHES = {
  "four tokens": (4, 3, 3, Beam(width=64, penalty=0.6)),
  "four steps": (3, 4, 2, Beam(width=32, penalty=1.0)),
  "no penalty": (3, 4, 0, Beam(width=32, penalty=0.0)),
  "no END": (3, 3, None, Beam(width=32)),
  "narrow": (4, 4, 3, Beam(width=2)),
  "narrower": (3, 4, 1, Beam(width=3, penalty=2.0)),
}
"""So many tokens that can come, the length, END, and the beam."""


@pytest.mark.parametrize("name", SEARCHES)
def test_beams_are_those_of_a_plain_search(name):
  likely, length, end, how = SEARCHES[name]
  lines = (
    likely**length if end is None else likely * (likely - 1) ** (length - 1)
  )
  # Wide beams hold every line, and find all of them below.
  assert (how.width >= lines) == (how.width > likely)
  for seed in range(3):
    given = {"length": length, "lengths": LENGTHS, "end": end, "how": how}
    variables = variables_of(seed, likely)
    found = beams(MODEL, variables, PROMPT, **given)
    best = generate(MODEL, variables, PROMPT, **given)
    for row in range(B):
      known = table(seed, likely, length, row)
      wanted = plain_search(known, likely, length, end, how.width, how.penalty)
      check(found, best, row, wanted, end)


def check(found, best, row, wanted, end):
  """The lines with their ranks, the best first; and the best one again."""
  ranks, _, _ = zip(*wanted, strict=True)
  count = len(wanted)
  assert_close(found.ranks[row, :count], np.array(ranks), level="model")
  assert (found.ranks[row, count:] < NEVER / 4).all()
  # Lines of almost the same rank may stand in either order.
  by_line = {line: (rank, score) for rank, score, line in wanted}
  seen = [line_of(found, row, i, end) for i in range(count)]
  assert {*seen} == {*by_line}
  told = np.stack([found.ranks[row, :count], found.scores[row, :count]], 1)
  assert_close(told, np.array([by_line[line] for line in seen]), level="model")
  assert (best.tokens[row] == found.tokens[row, 0]).all()
  assert best.lengths[row] == found.lengths[row, 0]
  assert_close(best.scores[row], found.scores[row, 0], level="model")


def line_of(found, row, i, end) -> Line:
  """A line with its END, behind which there are only ENDs."""
  tokens = np.asarray(found.tokens[row, i])
  size = int(found.lengths[row, i])
  assert (tokens[size:] == end).all()
  return tuple(map(int, tokens[: size + 1]))


@pytest.mark.parametrize("wrong", [np.inf, np.nan, -np.nan])
@pytest.mark.parametrize("end", [None, 2])
def test_outputs_that_are_not_finite_have_no_score(wrong, end):
  """Of the row alone whose prompt holds the token that is not finite."""
  variables = jax.tree.map(jnp.asarray, variables_of(0, 4))
  table = variables["params"]["embed"]
  given = {"length": 3, "lengths": LENGTHS, "end": end, "how": Beam(width=3)}
  sound = beams(MODEL, variables, PROMPT, **given)
  table["embedding"] = table["embedding"].at[9, 0].set(wrong)
  found = beams(MODEL, variables, PROMPT, **given)
  best = generate(MODEL, variables, PROMPT, **given)
  assert np.isnan(found.scores[0]).all() and np.isnan(best.scores[0])
  for one, other in zip(found, sound, strict=True):
    np.testing.assert_array_equal(one[1], other[1])


class Bare(Attention):
  """Gives NaN on padding."""

  @nn.compact
  def __call__(self, x, places, **more):
    y = super().__call__(x, places, **more)
    valid = gather(places.valid, more.get("at"))
    return jnp.where(valid[..., None], y, jnp.nan)


def test_what_a_line_that_there_is_none_of_gives_is_not_looked_at():
  """A line that has ended goes on as padding."""
  bare = small(Bare(), layers=1, vocabulary=C, classes=C)
  variables, given = variables_of(0, 4), {"length": 3, "lengths": LENGTHS}
  given |= {"end": 2, "how": Beam(width=3)}
  wanted = beams(MODEL, variables, PROMPT, **given)
  found = beams(bare, variables, PROMPT, **given)
  for one, other in zip(found, wanted, strict=True):
    np.testing.assert_array_equal(one, other)
