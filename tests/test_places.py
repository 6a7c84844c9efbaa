"""Places travel with a batch through every transformation."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.places import (
  Places,
  check_places,
  gather,
  latest_segments,
  whole,
  zero_padding,
)

X = jnp.arange(24.0).reshape(2, 4, 3)


def test_whole():
  places = whole(X)
  np.testing.assert_array_equal(places.positions, [[0, 1, 2, 3]] * 2)
  np.testing.assert_array_equal(places.segments, np.ones((2, 4)))
  assert places.edges is None and places.valid.all()
  tokens = whole(jnp.zeros((2, 4), jnp.int32))
  jax.tree.map(np.testing.assert_array_equal, tokens, places)


def test_valid_is_all_but_padding():
  segments = jnp.array([[0, 1, 2, 0]])
  places = Places(segments, segments)
  np.testing.assert_array_equal(places.valid, [[False, True, True, False]])


@pytest.mark.parametrize("edges", [None, jnp.ones((2, 4, 4), bool)])
def test_places_are_a_tree(edges):
  places = dataclasses.replace(whole(X), edges=edges)
  assert len(jax.tree.leaves(places)) == (2 if edges is None else 3)

  def row(places: Places) -> Places:
    assert places.positions.shape == (4,)
    return places

  back = jax.jit(jax.vmap(row))(places)
  assert jax.tree.structure(back) == jax.tree.structure(places)
  jax.tree.map(np.testing.assert_array_equal, back, places)


@pytest.mark.parametrize("axes", [None, 2])
def test_check_places_accepts_what_belongs(axes):
  places = whole(X)
  if axes:
    grid = jnp.stack([places.positions] * axes, axis=-1)
    places = dataclasses.replace(places, positions=grid)
  check_places(X, places)
  check_places(X, dataclasses.replace(places, edges=jnp.ones((2, 4, 7), bool)))


@pytest.mark.parametrize("name", ["positions", "segments", "edges"])
@pytest.mark.parametrize("shape", [(2, 5), (3, 4), (1, 4), (2, 1)])
def test_check_places_names_what_does_not(name, shape):
  wrong = jnp.ones(shape + (4,) * (name == "edges"), jnp.int32)
  wrong = wrong.astype(bool) if name == "edges" else wrong
  places = dataclasses.replace(whole(X), **{name: wrong})
  with pytest.raises(ValueError, match=rf"places\.{name} .*; allowed: .*2, 4"):
    check_places(X, places)


def test_gather():
  assert gather(X, None) is X
  at = jnp.array([[3, 0, 0], [1, 1, 2]])
  wanted = [[X[b, t] for t in row] for b, row in enumerate(at.tolist())]
  np.testing.assert_array_equal(gather(X, at), np.array(wanted))
  np.testing.assert_array_equal(gather(X[..., 0], at), np.array(wanted)[..., 0])
  assert gather(X, at[:, :0]).shape == (2, 0, 3)


def test_gather_beyond_the_end_is_not_clamped():
  assert np.isnan(gather(X, jnp.array([[4], [9]]))).all()


def test_zero_padding_stops_nan_in_both_directions():
  segments = jnp.array([[1, 1, 0, 0], [0, 3, 3, 3]])
  places = Places(jnp.zeros_like(segments), segments)
  x = jnp.where(places.valid[..., None], X, jnp.nan)
  y, back = jax.vjp(lambda x: zero_padding(x, places), x)
  np.testing.assert_array_equal(y, jnp.where(places.valid[..., None], X, 0))
  (slope,) = back(jnp.ones_like(y))
  wanted = np.broadcast_to(places.valid[..., None], X.shape)
  np.testing.assert_array_equal(slope, wanted.astype(np.float32))
  assert zero_padding(x.astype(jnp.bfloat16), places).dtype == jnp.bfloat16


def test_the_latest_segment_is_kept_over_padding():
  segments = jnp.array([[0, 2, 0, 3], [0, 0, 0, 0]])
  latest = latest_segments(segments, jnp.array([1, 4]))
  assert latest.tolist() == [[1, 1, 2, 2, 3], [4, 4, 4, 4, 4]]
