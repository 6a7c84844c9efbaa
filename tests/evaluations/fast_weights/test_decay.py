"""Decayed sums in all forms against float64, in pieces, and at extremes."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.evaluations.fast_weights import pieces
from research.evaluations.fast_weights.base import State
from research.evaluations.fast_weights.decay import decay
from tests.evaluations.fast_weights.problem import (
  LAST,
  SEGMENTS,
  B,
  H,
  K,
  T,
  V,
  by_hand,
  call,
  drawn,
  found,
  poisoned,
  wanted,
)
from tests.tolerance import assert_close


def a_chunk_a_piece(*inputs: Any, **how: Any) -> Any:
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(pieces, "_NUMBERS", 1)
    patch.setattr(pieces, "_WHOLE", 1)
    return decay(*inputs, **how)


def forms(**how: Any) -> dict[str, Any]:
  return {
    "parallel": functools.partial(decay, form="parallel", **how),
    "chunkwise": functools.partial(decay, form="chunkwise", chunk=4, **how),
    "pieces": functools.partial(
      a_chunk_a_piece, form="chunkwise", chunk=4, **how
    ),
    "recurrent": functools.partial(decay, form="recurrent", **how),
  }


@pytest.mark.parametrize(
  ("gate", "own"),
  [("none", True), ("head", True), ("channel", True), ("channel", False)],
)
def test_all_forms_agree_with_float64(gate, own):
  """Packed, padded and continued rows, whatever stands on padding."""
  given = drawn(gate)
  values, gradients = wanted(given, own=own)
  for y, slopes in found(forms(own=own), poisoned(given)).values():
    assert_close(y[:2], values, level="core")
    assert_close(slopes, gradients, level="core", gradient=True)
    np.testing.assert_array_equal(y[2], LAST)
    assert not np.asarray(y[0])[SEGMENTS == 0].any()


@pytest.mark.parametrize("gate", ["head", "channel"])
def test_extreme_decays(gate):
  """Most tokens forget all, and sums over them are far from small."""
  t, width = 64, 2
  generator = np.random.default_rng(2)
  shape = (1, t, 1, width) if gate == "channel" else (1, t, 1)
  choices = [-50.0, -300.0, 0.0, -0.1, -0.01]
  likely = [0.1, 0.1, 0.3, 0.3, 0.2]
  given = {
    "q": generator.normal(size=(1, t, 1, width)),
    "k": generator.normal(size=(1, t, 1, width)),
    "v": generator.normal(size=(1, t, 1, 1)),
    "matrix": generator.normal(size=(1, 1, width, 1)),
    "log_decay": generator.choice(choices, p=likely, size=shape),
  }
  given = {name: x.astype(np.float32) for name, x in given.items()}
  one = {"segments": np.ones((1, t), int), "first": np.ones(1, int)}
  values, gradients = wanted(given, **one)
  chosen = {name: forms()[name] for name in ("parallel", "pieces", "recurrent")}
  for y, slopes in found(chosen, given, **one).values():
    assert_close(y[:2], values, level="core")
    assert_close(slopes, gradients, level="core", gradient=True)


def test_a_continued_state_is_the_whole():
  """In pieces of six tokens and of one, which is where auto is recurrent."""
  given = drawn("channel")
  state = State(jnp.zeros((B, H, K, V)), jnp.zeros((B,), jnp.int32))
  given["matrix"] *= 0
  values = by_hand({n: x.astype(np.float64) for n, x in given.items()})
  attend = jax.jit(functools.partial(decay, chunk=4))
  read = []
  for start, stop in ((0, 6), (6, 12), (12, T)):
    now = (
      jnp.asarray(x[:, start:stop])
      for x in (*(given[n] for n in ("q", "k", "v", "log_decay")), SEGMENTS)
    )
    *inputs, segments = now
    y, state = attend(*inputs, segments, state=state)
    read.append(y)
  assert_close(jnp.concatenate(read, axis=1), values[0], level="core")
  assert_close(state.matrix, values[1], level="core")
  np.testing.assert_array_equal(state.segment, LAST)


def test_padding_leaves_the_state_as_it_is():
  given = {name: jnp.asarray(x) for name, x in drawn("head").items()}
  nothing = np.zeros((B, T), np.int32)
  first = np.array([1, 0, 3], np.int32)
  y, state = jax.jit(lambda x: call(decay, x, nothing, first))(given)
  np.testing.assert_array_equal(state.matrix, given["matrix"])
  np.testing.assert_array_equal(state.segment, first)
  assert not y.any()


def test_bfloat16_is_summed_in_float32():
  given = {n: jnp.asarray(x, jnp.bfloat16) for n, x in drawn("head").items()}
  given["log_decay"] = given["log_decay"].astype(jnp.float32)
  rounded = {n: np.asarray(x, np.float64) for n, x in given.items()}
  values = by_hand(rounded)
  (y, matrix, _), slopes = found({"": forms()["chunkwise"]}, given)[""]
  assert y.dtype == slopes["q"].dtype == slopes["v"].dtype == jnp.bfloat16
  assert matrix.dtype == slopes["log_decay"].dtype == jnp.float32
  assert_close(y, values[0], level="core")
  assert_close(matrix, values[1], level="core")
