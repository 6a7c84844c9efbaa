"""The laws of mixers: one test a law, run for every case of every family.

A case that its table excepts from a law has to break it. Cases that a law
does not speak of are not collected for it; `laws_matrix.py` prints what ran.
"""

import copy
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.models.block import Block
from research.places import Places
from tests.cases import Case, Laws, mixer_cases
from tests.subject import (
  ASKED,
  EMPTY,
  FIRST,
  FULL,
  LEFT,
  LENGTH,
  PACKED,
  SCHEDULES,
  SECOND,
  SEGMENTS,
  SINGLE,
  STREAMED,
  VALID,
  count,
  far,
  places,
  subject,
)
from tests.tolerance import assert_close, bound

law = Laws(mixer_cases())
ZERO = bound(np.float32, "core", LENGTH, gradient=True)
"""A slope below this share of the largest one is rounding (FFT has some)."""


def causal(case: Case) -> bool:
  return case.mixer.causal


@law()
def test_shape_and_dtype(name):
  it = subject(name)
  assert it.whole["y"].shape == it.x.shape
  assert it.whole["y"].dtype == np.float32
  _, y = it.corners["bfloat16"]
  assert y.shape == it.x.shape and y.dtype == jnp.bfloat16
  assert_close(y, it.whole["y"], level="module")


@law()
def test_finite(name):
  it = subject(name)
  assert np.isfinite(it.whole["y"]).all()
  assert np.isfinite(it.whole["slopes"]).all()
  for gradients, y in it.corners.values():
    for leaf in jax.tree.leaves((gradients, y)):
      assert np.isfinite(np.asarray(leaf, np.float32)).all()


@law()
def test_padded_outputs_are_zero(name):
  it = subject(name)
  assert not it.whole["y"][~VALID].any()
  assert it.whole["y"][SINGLE, 0].any()
  assert not it.corners["short"][1][2].any() and not it.whole["y"][EMPTY].any()


@law(causal)
def test_causality(name):
  later = np.triu(np.ones((LENGTH, LENGTH), bool), k=1)
  assert (subject(name).depends[:, later] < ZERO).all()


@law(causal)
def test_reach(name):
  it = subject(name)
  depends = it.depends[list(FULL)] > ZERO
  reach = int(depends.sum(axis=2).max())
  lag = np.arange(LENGTH)[:, None] - np.arange(LENGTH)[None, :]
  assert (depends == ((lag >= 0) & (lag < reach))[None]).all()
  assert (reach > 1) == (it.mixer.state_size(it.case.width, LENGTH) > 0)
  assert it.case.reach in (None, reach)


@law(lambda case: not case.mixer.causal)
def test_not_causal(name):
  later = np.triu(np.ones((LENGTH, LENGTH), bool), k=1)
  assert (subject(name).depends[:, later] > ZERO).any()


@law()
def test_segments_never_interact(name):
  own = SEGMENTS[:, :, None] == SEGMENTS[:, None, :]
  own &= VALID[:, :, None] & VALID[:, None, :]
  assert (subject(name).depends[~own] < ZERO).all()


@law()
def test_packing(name):
  y = subject(name).whole["y"]
  assert_close(y[PACKED, :3], y[FIRST, :3], level="module")
  assert_close(y[PACKED, 3:7], y[SECOND, :4], level="module")
  assert_close(y[LEFT, 5:], y[FIRST, :3], level="module")


@law()
def test_at(name):
  whole = subject(name).whole
  asked = np.take_along_axis(whole["y"], ASKED[..., None], axis=1)
  assert_close(whole["at"], asked, level="module")


@law()
def test_padding_does_not_leak(name):
  it = subject(name)
  clean = it.poisoned(0.0)
  for poison in (1e9, np.nan):
    y, parameters, inputs = it.poisoned(poison)
    assert np.isfinite(y).all()
    np.testing.assert_array_equal(y[VALID], clean[0][VALID])
    np.testing.assert_array_equal(inputs, clean[2])
    assert not np.asarray(inputs)[~VALID].any()
    assert np.isfinite(inputs).all()
    jax.tree.map(np.testing.assert_array_equal, parameters, clean[1])
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(parameters))


@law()
def test_rows_are_independent(name):
  it = subject(name)
  x = jnp.full_like(it.x, jnp.nan).at[1].set(it.x[1])
  np.testing.assert_array_equal(it.run(x)["y"][1], it.whole["y"][1])


@law()
def test_vmap_is_batch(name):
  whole = subject(name).whole
  assert_close(whole["vmap"], whole["y"], level="module")


@law()
def test_jit_is_no_jit(name):
  it = subject(name)
  y = it.mixer.apply(it.parameters, it.x, places())
  assert_close(y, it.whole["y"], level="module")


@law()
def test_second_call_compiles_nothing(name):
  it = subject(name)
  first = it.whole["y"]
  again = it.run(it.x + 1, mixer=copy.deepcopy(it.mixer))["y"]
  assert it.traces["whole"] == 1
  assert (again != first).any()


@law(causal)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_stream(name, schedule):
  it = subject(name)
  for tokens, y in it.stream(SCHEDULES[schedule]):
    read = tokens >= 0
    assert not y[~read].any()
    rows = np.broadcast_to(np.asarray(STREAMED)[:, None], tokens.shape)
    wanted = it.whole["y"][rows[read], tokens[read]]
    if read.any():
      assert_close(y[read], wanted, level="module")


@law(causal)
def test_stream_compiles_each_shape_once(name):
  it = subject(name)
  for schedule in SCHEDULES.values():
    it.stream(schedule)
  assert it.traces["stream"] == 2


@law(lambda case: not case.mixer.causal)
def test_stream_refused(name):
  with pytest.raises(ValueError, match="cache .* not causal; allowed"):
    subject(name).empty(LENGTH)


@law(causal)
def test_state_size(name):
  it = subject(name)
  for length in (5, LENGTH, 40):
    cache = jax.tree.leaves(it.empty(length))
    assert all(leaf.shape[0] == len(STREAMED) for leaf in cache)
    assert not any(leaf.any() for leaf in cache)
    state = [leaf for leaf in cache if jnp.issubdtype(leaf.dtype, jnp.inexact)]
    carried = count(state) / len(STREAMED)
    assert it.mixer.state_size(it.case.width, length) == carried


@law()
def test_parameter_count(name):
  it = subject(name)
  assert count(it.parameters) == it.case.parameters(it.case.width)
  wide = jnp.zeros(it.x.shape[:2] + (2 * it.case.width,))
  shapes = jax.eval_shape(it.mixer.init, jax.random.key(0), wide, places())
  assert count(shapes) == it.case.parameters(2 * it.case.width)


@law()
@pytest.mark.parametrize("length", [1, 5, 40])
def test_other_lengths(name, length):
  it = subject(name)
  x = jnp.ones((2, length, it.case.width))
  where = Places(*2 * [jnp.ones((2, length), jnp.int32)])
  try:
    y = jax.eval_shape(it.mixer.apply, it.parameters, x, where)
  except ValueError as error:
    assert "allowed" in str(error) and str(length) in str(error)
    assert length < it.case.shortest
  else:
    assert y.shape == x.shape and length >= it.case.shortest


@law()
def test_depth(name):
  one, two = (subject(name).model(layers) for layers in (1, 2))
  assert one["block_0"] == two["block_0"] == two["block_1"]
  assert count(two) - count(one) == count(one["block_0"])
  it = subject(name)
  alone = Block(it.mixer.copy(parent=None))
  shapes = jax.eval_shape(alone.init, jax.random.key(0), it.x, places())
  assert shapes["params"] == one["block_0"]
  mixer = shapes["params"].get("mixer", {})
  assert count(mixer) == it.case.parameters(it.case.width)


@law(lambda case: not case.source)
def test_source_refused(name):
  it = subject(name)
  with pytest.raises(ValueError, match="source .*; allowed"):
    it.mixer.apply(it.parameters, it.x, places(), source=it.source)


@law(lambda case: case.source)
def test_source(name):
  it = subject(name)
  x, where = it.source
  read = functools.partial(jax.jit(it.mixer.apply), it.parameters, it.x)
  y = read(places(), source=(x, where))
  changed = read(places(), source=(x.at[:, 0].add(1.0), where))
  assert y.shape == it.x.shape and np.isfinite(y).all() & (y != changed).any()
  # The source of this row is padding only: all its queries read nothing.
  np.testing.assert_array_equal(y[LEFT, 5:7], y[LEFT, 6:])
  poison = jnp.where(where.valid[..., None], x, jnp.nan), far(where)
  np.testing.assert_array_equal(read(places(), source=poison), y)


@law(lambda case: not case.edges)
def test_edges_refused(name):
  it = subject(name)
  where = places()
  edges = jnp.ones(it.x.shape[:2] + (LENGTH,), bool)
  with pytest.raises(ValueError, match="edges .*; allowed"):
    it.mixer.apply(
      it.parameters, it.x, Places(where.positions, where.segments, edges)
    )


@law(lambda case: case.edges)
def test_edges(name):
  it = subject(name)
  where = places()

  @jax.jit
  def apply(edges: Any) -> Any:
    where_edges = Places(where.positions, where.segments, edges)
    return it.mixer.apply(it.parameters, it.x, where_edges)

  everybody = jnp.ones(it.x.shape[:2] + (LENGTH,), bool)
  assert_close(apply(everybody), it.whole["y"], level="module")
  nobody = np.asarray(apply(~everybody))[VALID]
  np.testing.assert_array_equal(nobody[1:], nobody[:-1])


@law()
def test_use_changes_no_field(name):
  it = subject(name)
  assert it.whole["y"].any() and it.parameters
  it.mixer.state_size(it.case.width, LENGTH)
  assert (repr(it.mixer), hash(it.mixer)) == it.before
  assert it.mixer == copy.deepcopy(it.mixer) and it.mixer.scope is None


def test_exceptions_name_laws():
  law.check_exceptions()
