"""What a stream keeps, against lists in plain Python."""

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.stream import MADE, history, once, slots, streaming

ROWS = 5


class Asks(nn.Module):
  """Says whether its call streams."""

  @nn.compact
  def __call__(self) -> Any:
    if streaming(self):
      self.variable("cache", "seen", jnp.ones, (1,))
      return "streams"
    return "whole"


class Remembers(nn.Module):
  """Keeps the last `count` tokens, and counts them."""

  count: int

  @nn.compact
  def __call__(self, tokens: Any, segments: Any) -> Any:
    return history(self, tokens, segments, self.count), slots(self, segments)


def test_the_cache_is_the_mode():
  assert Asks().apply({}) == "whole"
  assert Asks().apply({}, mutable=["batch_stats"])[0] == "whole"
  mode, cache = Asks().apply({}, mutable=["cache"])
  assert mode == "streams"
  assert Asks().apply(cache, mutable=["cache"])[0] == "streams"
  mode, variables = Asks().init_with_output(jax.random.key(0))
  assert mode == "whole" and "cache" not in variables


def test_a_cache_that_cannot_be_written_is_refused():
  cache = Asks().apply({}, mutable=["cache"])[1]
  with pytest.raises(ValueError, match=r"mutable .*cache.*; allowed: apply"):
    Asks().apply(cache)


def chunks(lengths: list[int]) -> list[dict[str, np.ndarray]]:
  """Random tokens, with padding wherever it falls."""
  generator = np.random.default_rng(7)
  pieces = []
  for length in lengths:
    segments = generator.integers(0, 3, (ROWS, length)).astype(np.int32)
    segments[0] = 0  # a row that never gets a token
    segments[1] = 1  # a row without padding
    tokens = generator.normal(size=(ROWS, length, 2)).astype(np.float32)
    number = generator.integers(0, 99, (ROWS, length)).astype(np.int32)
    pieces.append({"tokens": tokens, "number": number, "segments": segments})
  return pieces


@pytest.mark.parametrize("count", [0, 1, 3, 6])
def test_history_and_slots(count):
  module = Remembers(count)

  @jax.jit
  def append(cache: Any, piece: Any) -> Any:
    tokens = {"tokens": piece["tokens"], "number": piece["number"]}
    return module.apply(
      {"cache": cache}, tokens, piece["segments"], mutable=["cache"]
    )

  pieces = chunks([4, 1, 1, 4, 1, 4])
  piece = jax.tree.map(jnp.asarray, pieces[0])
  cache = jax.eval_shape(append, {}, piece)[1]["cache"]
  cache = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), cache)
  past: list[list[tuple]] = [[] for _ in range(ROWS)]
  for piece in pieces:
    length = piece["segments"].shape[1]
    result, new = append(cache, jax.tree.map(jnp.asarray, piece))
    cache = new["cache"]
    (joined, segments, among), (slot, valid) = jax.tree.map(np.asarray, result)
    assert segments.shape == (ROWS, count + length)
    np.testing.assert_array_equal(valid, piece["segments"] > 0)
    for row in range(ROWS):
      remembered = past[row][len(past[row]) - min(count, len(past[row])) :]
      fresh = []
      for t in range(length):
        if piece["segments"][row, t]:
          fresh.append(
            (*(piece[n][row, t] for n in ("tokens", "number", "segments")),)
          )
          assert slot[row, t] == len(past[row]) + len(fresh) - 1
          assert among[row, t] == len(remembered) + len(fresh) - 1
      wanted = remembered + fresh
      assert (segments[row, len(wanted) :] == 0).all()
      for s, (token, number, segment) in enumerate(wanted):
        np.testing.assert_array_equal(joined["tokens"][row, s], token)
        assert joined["number"][row, s] == number
        assert segments[row, s] == segment
      past[row] += fresh
  assert all(leaf.shape[0] == ROWS for leaf in jax.tree.leaves(cache))
  assert [len(row) for row in past] == cache["used"].tolist()


def test_what_is_made_once_is_not_made_again():
  made = []

  class Reader(nn.Module):
    @nn.compact
    def __call__(self, x):
      def make(module, x):
        jax.debug.callback(lambda: made.append(True))
        return (nn.Dense(3, name="made")(x),)

      return once(self, {"kept": (2, 4, 3)}, make, x)[0]

  reader, x = Reader(), jnp.ones((2, 4, 5))
  variables = {"params": {"made": {"kernel": jnp.ones((5, 3))}}}
  variables["params"]["made"]["bias"] = jnp.zeros(3)
  append = jax.jit(functools.partial(reader.apply, mutable=["cache"]))
  first, new = append(variables, x)
  second, new = append({**variables, **new}, jnp.full_like(x, jnp.nan))
  jax.effects_barrier()
  assert made == [True]
  np.testing.assert_array_equal(first, np.full((2, 4, 3), 5.0))
  np.testing.assert_array_equal(second, first)
  # A row that starts anew has what it is made of looked at, the others not.
  new["cache"][MADE] = jnp.array([True, False])
  third, _ = append({**variables, **new}, 2 * x)
  np.testing.assert_array_equal(third[:, 0, 0], [5.0, 10.0])
