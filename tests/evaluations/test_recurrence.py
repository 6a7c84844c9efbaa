"""The loop over time against a slow one, cut into chunks, and what it keeps."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.evaluations.recurrence import State, empty, recur
from tests.tolerance import assert_close

SEGMENTS = np.array(
  [
    [1, 1, 0, 1, 2, 0, 3, 3],  # padding within a segment, and between two
    [0, 0, 4, 4, 4, 4, 0, 0],
    [1, 0, 0, 2, 2, 1, 1, 1],  # a number comes again: another sequence
    [0, 0, 0, 0, 0, 0, 0, 0],
  ],
  np.int32,
)
X = np.random.default_rng(4).normal(size=(*SEGMENTS.shape, 3))
X = np.where(SEGMENTS[..., None] > 0, X, 0).astype(np.float32)
START = empty(4, {"hidden": 3})


def halve(state: Any, x: Any) -> Any:
  """hidden ← hidden / 2 + x, which float32 adds up exactly enough."""
  return {"hidden": state["hidden"] / 2 + x}


def slow(reverse: bool) -> tuple[np.ndarray, np.ndarray, list[int]]:
  """The state after each token, one row and one token at a time.

  Returns:
    All of them, the last of each row, and the segment it is of.
  """
  y = np.zeros(X.shape)
  end, lasts = np.zeros((len(X), X.shape[-1])), []
  for row, segments in enumerate(SEGMENTS):
    last = 0
    order = range(len(segments))
    for t in reversed(order) if reverse else order:
      if segments[t]:
        kept = end[row] if segments[t] == last else 0
        end[row], last = kept / 2 + X[row, t], segments[t]
      y[row, t] = end[row]
    lasts.append(last)
  return y, end, lasts


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("how", [{}, {"remat": 3}])
def test_it_restarts_at_borders_and_keeps_over_padding(reverse, how):
  y, end = recur(
    halve, START, jnp.asarray(X), jnp.asarray(SEGMENTS), reverse=reverse, **how
  )
  wanted, state, segments = slow(reverse)
  np.testing.assert_allclose(y, wanted, rtol=1e-6)
  np.testing.assert_allclose(end.parts["hidden"], state, rtol=1e-6)
  assert end.segment.tolist() == segments


@pytest.mark.parametrize("size", [1, 3])
def test_a_stream_goes_on_where_it_stopped(size):
  state, pieces = START, []
  for begin in range(0, 8, size):
    piece = slice(begin, begin + size)
    y, state = recur(
      halve, state, jnp.asarray(X[:, piece]), jnp.asarray(SEGMENTS[:, piece])
    )
    pieces.append(y)
  wanted, end, segments = slow(False)
  np.testing.assert_allclose(np.concatenate(pieces, axis=1), wanted, rtol=1e-6)
  np.testing.assert_allclose(state.parts["hidden"], end, rtol=1e-6)
  assert state.segment.tolist() == segments


def test_what_was_infinite_ends_with_its_segment():
  x = np.where(SEGMENTS[..., None] == 1, np.nan, X)[:1]
  y, _ = recur(
    halve, empty(1, {"hidden": 3}), jnp.asarray(x), jnp.asarray(SEGMENTS[:1])
  )
  assert np.isnan(y[0, :4]).all() and np.isfinite(y[0, 4:]).all()


def squash(weight: Any) -> Any:
  """hidden ← tanh(hidden · weight + x), and a sum that forgets slowly."""

  def step(state: Any, x: Any) -> Any:
    hidden = jnp.tanh(state["hidden"] @ weight + x)
    return {"hidden": hidden, "sum": state["sum"] * 0.9 + hidden}

  return step


def slopes(reverse: bool, length: int, **how: Any) -> Any:
  """Outputs, last state, and gradients to weight, input and first state."""
  draw = np.random.default_rng(length)
  shapes = {"weight": (3, 3), "x": (2, length, 3), "start": (2, 3)}
  given = {
    name: jnp.asarray(draw.normal(size=shape), jnp.float32)
    for name, shape in shapes.items()
  }
  segments = np.ones((2, length), np.int32)
  segments[0, length // 2 :], segments[1, 2:4] = 2, 0

  @jax.jit
  def both(given: Any) -> Any:
    def run(weight: Any, x: Any, start: Any) -> Any:
      state = State({"hidden": start, "sum": start}, jnp.ones(2, int))
      y, end = recur(
        squash(weight), state, x, jnp.asarray(segments), reverse=reverse, **how
      )
      return y, end.parts

    out, back = jax.vjp(lambda given: run(**given), given)
    seeds = jax.tree.map(
      lambda leaf: jnp.cos(jnp.arange(leaf.size)).reshape(leaf.shape), out
    )
    return out, back(seeds)[0]

  return jax.device_get(both(given))


@pytest.mark.parametrize(
  ("reverse", "length", "remat"),
  [(False, 10, "root"), (True, 10, 4), (False, 12, 12), (False, 12, 1)],
)
def test_chunks_give_the_same(reverse, length, remat):
  y, gradients = slopes(reverse, length, remat=remat)
  wanted, wanted_gradients = slopes(reverse, length)
  jax.tree.map(np.testing.assert_array_equal, y, wanted)
  # What is summed over time is summed by chunks, and rounded in other places.
  weights = gradients.pop("weight"), wanted_gradients.pop("weight")
  jax.tree.map(np.testing.assert_array_equal, gradients, wanted_gradients)
  assert_close(*weights, level="core", length=length, gradient=True)


def memory(length: int, remat: Any) -> float:
  """The memory for the gradient of a narrow input, in states of 1 KiB."""

  def step(state: Any, x: Any) -> Any:
    wide = jnp.sin(state["wide"] + x)
    return {"wide": wide, "hidden": wide[:, :1]}

  def loss(x: Any) -> Any:
    start = empty(1, {"wide": 256, "hidden": 1})
    segments = jnp.ones((1, length), int)
    return jnp.sum(recur(step, start, x, segments, remat=remat)[0])

  x = jnp.ones((1, length, 1))
  program = jax.jit(jax.grad(loss)).lower(x).compile()
  return program.memory_analysis().temp_size_in_bytes / 1024


@pytest.mark.parametrize(
  ("length", "remat", "states"),
  [(1024, 0, 1024), (1024, "root", 64), (4096, "root", 128), (1024, 128, 136)],
)
def test_the_memory_of_chunks(length, remat, states):
  # One of each chunk, and all of one chunk; what else there is, is narrow.
  assert states <= memory(length, remat) <= 1.25 * states


def test_what_is_out_of_bounds_is_refused():
  message = "remat = -1; allowed: the steps of a chunk, 1 or more"
  with pytest.raises(ValueError, match=message):
    recur(halve, START, jnp.asarray(X), jnp.asarray(SEGMENTS), remat=-1)


@pytest.mark.usefixtures("unchecked")
def test_other_words_are_refused():
  with pytest.raises(ValueError, match="remat = 'half'; allowed: .*, 'root'"):
    recur(halve, START, jnp.asarray(X), jnp.asarray(SEGMENTS), remat="half")
