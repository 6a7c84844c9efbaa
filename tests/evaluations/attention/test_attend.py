"""Attention as one function: what it refuses, what it passes on."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from research.evaluations.attention.attend import attention, attention_maps
from research.masks import Causal, Mask
from tests.evaluations.attention.problem import drawn
from tests.tolerance import assert_close

T, S = 4, 6


class Rule(Mask):
  """A mask that somebody forgot to make a record."""

  causal = True

  def allows(self, query, key):
    return key <= query

  def reach(self, length):
    return length


@dataclasses.dataclass(frozen=True)
class Even(Mask):
  """A mask that is written in jnp."""

  causal = True

  def allows(self, query, key):
    return jnp.logical_and(key <= query, jnp.remainder(query - key, 2) == 0)

  def reach(self, length):
    return length


Q, KEYS, VALUES, *_ = map(jnp.asarray, drawn(T, S))


@pytest.mark.parametrize("form", ["dense", "blockwise", "library"])
def test_both_sides_count_from_zero(form):
  @jax.jit
  def run() -> jax.Array:
    return attention(Q, KEYS, VALUES, mask=Causal(), evaluation=form)

  y = np.asarray(run())
  assert_close(jnp.asarray(y[:, 0]), np.asarray(VALUES[:, 0]), level="core")
  assert y.shape == Q.shape and np.abs(y[:, 1] - VALUES[:, 1]).max() > 0.1


def test_values_may_be_wider_than_keys():
  wide = jnp.concatenate([VALUES, -VALUES], axis=-1)

  @jax.jit
  def run(v: jax.Array) -> jax.Array:
    return attention(Q, KEYS, v, evaluation="blockwise")

  y = run(wide)
  assert y.shape == (2, T, 2, 8)
  np.testing.assert_array_equal(y[..., :4], -y[..., 4:])


def test_the_library_names_itself_where_it_cannot(unchecked):
  wide = jnp.concatenate([VALUES, -VALUES], axis=-1)
  message = r"evaluation = 'library' cannot compute this \(.*\); allowed: "
  with pytest.raises(ValueError, match=message):
    attention(Q, KEYS, wide, evaluation="library")


@pytest.mark.parametrize("form", ["dense", "blockwise"])
def test_maps_are_those_it_reads_with(form):
  modified = {
    "mask": Causal(),
    "score_mod": lambda s, b, h, query, key: s + 0.1 * (h + key),
    "mask_mod": lambda b, h, query, key: key != 1,
    "weight_mod": lambda w, b, h, query, key: w * (query + 1),
    "segments": jnp.array([[1, 1, 2, 2, 2, 2], [1, 1, 1, 1, 1, 0]]),
  }

  @jax.jit
  def run() -> tuple[jax.Array, jax.Array]:
    y = attention(KEYS, KEYS, VALUES, evaluation=form, **modified)
    maps = attention_maps(KEYS, KEYS, **modified)
    return y, jnp.einsum("bhts,bshv->bthv", maps, VALUES)

  y, expected = run()
  assert_close(y, np.asarray(expected), level="core")


@pytest.mark.parametrize("form", ["dense", "blockwise", "library"])
def test_a_mask_may_be_written_in_jnp(form):
  @jax.jit
  def run() -> jax.Array:
    return attention(Q, KEYS, VALUES, mask=Even(), evaluation=form)

  def even(batch, head, query, key):
    return (key <= query) & ((query - key) % 2 == 0)

  expected = attention(Q, KEYS, VALUES, mask_mod=even, evaluation="dense")
  assert_close(run(), np.asarray(expected), level="core")


def test_an_unknown_form_is_refused(unchecked):
  with pytest.raises(ValueError, match="evaluation = 'fast'; allowed: 'auto'"):
    attention(Q, KEYS, VALUES, evaluation="fast")


@pytest.mark.parametrize("form", ["dense", "blockwise", "library"])
@pytest.mark.parametrize(
  ("k", "v", "message"),
  [
    (
      KEYS,
      VALUES[:, :5],
      r"v has shape \(2, 5, 2, 4\); allowed: .*\(2, 6, 2\)",
    ),
    (KEYS, VALUES[:1], r"v has shape \(1, 6, 2, 4\); allowed: "),
    (KEYS, VALUES[:, :, :1], r"v has shape \(2, 6, 1, 4\); allowed: "),
    (KEYS[:1], VALUES[:1], r"k has shape \(1, 6, 2, 4\) and q .*; allowed: "),
    (KEYS[..., :3], VALUES, r"k has shape \(2, 6, 2, 3\) .* and k = 4"),
    (KEYS[0], VALUES[0], r"k has shape \(6, 2, 4\); allowed: an array \(b, "),
    (KEYS, VALUES.tolist(), r"v has shape list; allowed: an array \(b, "),
    (KEYS, VALUES.astype(int), "v has dtype int32; allowed: real floats"),
    (KEYS + 1j, VALUES, "k has dtype complex64; allowed: real floats"),
  ],
)
def test_arrays_that_do_not_fit_are_refused(k, v, message, form, unchecked):
  with pytest.raises(ValueError, match=message):
    attention(Q, k, v, evaluation=form)


@pytest.mark.parametrize("form", ["auto", "dense", "blockwise"])
@pytest.mark.parametrize("sizes", [(0, 2, 300), (1, 0, 300), (1, 2, 0)])
def test_nothing_is_read_of_nothing(sizes, form):
  batch, t, s = sizes
  q, k = (jnp.ones((batch, length, 2, 4)) for length in (t, s))
  y = attention(q, k, k, mask=Causal(), evaluation=form)
  np.testing.assert_array_equal(y, np.zeros(q.shape))


def test_heads_and_masks_that_do_not_fit_are_refused(unchecked):
  three = jnp.concatenate([KEYS, KEYS[:, :, :1]], axis=2)
  with pytest.raises(ValueError, match="k has 3 heads and q 2; allowed: "):
    attention(Q, three, three)
  with pytest.raises(ValueError, match="is no record; allowed: "):
    attention(Q, KEYS, VALUES, mask=Rule())


@pytest.mark.parametrize("name", ["score_mod", "mask_mod", "weight_mod"])
def test_what_cannot_be_called_is_refused(name, unchecked):
  with pytest.raises(ValueError, match=f"{name} = None; allowed: a function"):
    attention(Q, KEYS, VALUES, **{name: None})


@pytest.mark.parametrize("form", ["dense", "blockwise"])
def test_segments_are_of_both_sides(form, unchecked):
  segments = jnp.ones((2, T), int)
  with pytest.raises(ValueError, match="segments .*; allowed: "):
    jax.eval_shape(
      lambda: attention(Q, KEYS, VALUES, segments=segments, evaluation=form)
    )
  with pytest.raises(ValueError, match="segments has shape list; allowed: "):
    attention(Q, KEYS, VALUES, segments=[[1] * T] * 2, evaluation=form)


@pytest.mark.parametrize("form", ["dense", "blockwise", "library"])
def test_what_stands_on_padding_is_not_read(form):
  segments = jnp.array([[1, 1, 2, 0]] * Q.shape[0])

  @jax.jit
  def run(on_padding):
    def read(*given):
      return attention(*given, segments=segments, evaluation=form)

    given = Q, KEYS[:, :T], VALUES[:, :T]
    given = (x.at[:, -1].set(on_padding) for x in given)
    y, back = jax.vjp(read, *given)
    return y, *back(jnp.ones_like(y))

  for found, wanted in zip(run(jnp.nan), run(0.0), strict=True):
    np.testing.assert_array_equal(found, wanted)
    assert not np.asarray(found)[:, -1].any()


EXPLICIT = {
  "blocks": ({"evaluation": "blockwise"}, "evaluation = 'blockwise'"),
  "score_mod": ({"score_mod": lambda score, *_: 2 * score}, "score_mod"),
  "neither": ({}, ""),
}


@pytest.mark.parametrize("name", EXPLICIT)
def test_explicit_axes_of_a_mesh(name):
  """What has none says so; the rest works, and all of it on automatic axes."""
  more, title = EXPLICIT[name]
  mesh = jax.make_mesh((2,), ("x",), axis_types=(AxisType.Explicit,))
  spread = NamedSharding(mesh, PartitionSpec("x"))
  run = functools.partial(attention, mask=Causal(), **more)
  wanted = np.asarray(jax.jit(run)(Q, Q, Q))
  with jax.set_mesh(mesh):
    q = jax.device_put(np.asarray(Q), spread)
    free = jax.sharding.auto_axes(run, axes="x", out_sharding=spread)
    assert_close(jax.jit(free)(q, q, q), wanted, level="core")
    if not title:
      assert_close(jax.jit(run)(q, q, q), wanted, level="core")
      return
    with pytest.raises(ValueError, match=f"{title} over the explicit .* 'x'"):
      jax.jit(run)(q, q, q)
