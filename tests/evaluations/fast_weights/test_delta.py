"""The delta rule in all forms against float64, and with keys that repeat."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.evaluations.fast_weights import pieces
from research.evaluations.fast_weights.delta import delta
from tests.evaluations.fast_weights.problem import (
  FIRST,
  LAST,
  SEGMENTS,
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
    return delta(*inputs, **how)


FORMS = {
  "parallel": functools.partial(delta, form="parallel"),
  "chunkwise": functools.partial(delta, form="chunkwise", chunk=4),
  "pieces": functools.partial(a_chunk_a_piece, form="chunkwise", chunk=4),
  "recurrent": functools.partial(delta, form="recurrent"),
}


@pytest.mark.parametrize("gate", ["none", "head", "channel"])
def test_all_forms_agree_with_float64(gate):
  """Packed, padded and continued rows, whatever stands on padding."""
  given = drawn(gate, delta=True)
  values, gradients = wanted(given)
  for y, slopes in found(FORMS, poisoned(given)).values():
    assert_close(y[:2], values, level="core")
    assert_close(slopes, gradients, level="core", gradient=True)
    np.testing.assert_array_equal(y[2], LAST)
    assert not np.asarray(y[0])[SEGMENTS == 0].any()


def test_one_key_again_and_again():
  """Each token replaces, or nearly turns over, what all before it wrote."""
  beta = np.array([0.5, 1.0, 1.8], np.float32)
  b, t, width = len(beta), 64, 3
  generator = np.random.default_rng(6)
  key = generator.normal(size=(b, 1, 1, width))
  key /= np.linalg.norm(key, axis=-1, keepdims=True)
  given = {
    "q": generator.normal(size=(b, t, 1, width)),
    "k": np.broadcast_to(key, (b, t, 1, width)),
    "v": generator.normal(size=(b, t, 1, 2)),
    "beta": np.broadcast_to(beta[:, None, None], (b, t, 1)),
    "matrix": generator.normal(size=(b, 1, width, 2)),
  }
  given = {name: x.astype(np.float32) for name, x in given.items()}
  one = np.ones((b, t), np.int32), np.ones(b, np.int32)
  values = by_hand(
    {name: x.astype(np.float64) for name, x in given.items()}, *one
  )
  forms = {
    "chunkwise": functools.partial(delta, form="chunkwise", chunk=16),
    "recurrent": FORMS["recurrent"],
  }
  for y, _ in found(forms, given, *one).values():
    assert_close(y[:2], values, level="core")


def test_members_of_a_vmap():
  """Two members, whose segments are not the same."""
  given = drawn("channel", delta=True)
  values = by_hand({n: x.astype(np.float64) for n, x in given.items()})
  members = {n: jnp.stack([x, x[::-1]]) for n, x in given.items()}
  segments = jnp.stack([SEGMENTS, SEGMENTS[::-1]])
  first = jnp.stack([FIRST, FIRST[::-1]])
  one = functools.partial(call, FORMS["chunkwise"])
  y, state = jax.jit(jax.vmap(one))(members, segments, first)
  for member, order in enumerate((1, -1)):
    there = y[member], state.matrix[member]
    assert_close(there, tuple(x[::order] for x in values), level="core")
