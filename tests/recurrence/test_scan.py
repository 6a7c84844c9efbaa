"""The loop over time against a slow one, and what it keeps."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.places import Places
from research.recurrence.gru import GRU
from research.recurrence.lstm import LSTM
from research.recurrence.scan import Kernel, multiply, recur

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


class Decay(nn.Module):
  """hidden ← hidden / 2 + x, which float32 adds up exactly enough."""

  reverse: bool = False
  streams: bool = False

  @nn.compact
  def __call__(self, x: Any, segments: Any) -> Any:
    return recur(
      self,
      lambda state, x: {"hidden": state["hidden"] / 2 + x},
      {"hidden": x.shape[-1]},
      x,
      segments,
      streams=self.streams,
      reverse=self.reverse,
    )


def slow(reverse: bool) -> np.ndarray:
  """The state after each token, one row and one token at a time."""
  y = np.zeros(X.shape)
  for row, segments in enumerate(SEGMENTS):
    state, last = np.zeros(X.shape[-1]), 0
    order = range(len(segments))
    for t in reversed(order) if reverse else order:
      if segments[t]:
        kept = state if segments[t] == last else np.zeros_like(state)
        state, last = kept / 2 + X[row, t], segments[t]
      y[row, t] = state
  return y


@pytest.mark.parametrize("reverse", [False, True])
def test_it_restarts_at_borders_and_keeps_over_padding(reverse):
  y = Decay(reverse).apply({}, jnp.asarray(X), jnp.asarray(SEGMENTS))
  np.testing.assert_allclose(y, slow(reverse), rtol=1e-6)


def test_a_stream_goes_on_where_it_stopped():
  cache, pieces = {}, []
  for x, segments in zip(
    np.split(X, 4, axis=1), np.split(SEGMENTS, 4, axis=1), strict=True
  ):
    y, cache = Decay(streams=True).apply(
      cache, jnp.asarray(x), jnp.asarray(segments), mutable=["cache"]
    )
    pieces.append(y)
  np.testing.assert_allclose(
    np.concatenate(pieces, axis=1), slow(False), rtol=1e-6
  )
  assert cache["cache"]["segment"].tolist() == [3, 4, 1, 0]


def test_what_was_infinite_ends_with_its_segment():
  x = np.where(SEGMENTS[..., None] == 1, np.nan, X)[:1]
  y = Decay().apply({}, jnp.asarray(x), jnp.asarray(SEGMENTS[:1]))
  assert np.isnan(y[0, :4]).all() and np.isfinite(y[0, 4:]).all()


@pytest.mark.parametrize("layer", [LSTM(), GRU()], ids=["lstm", "gru"])
def test_the_state_is_float32_under_bfloat16(layer):
  x = jnp.asarray(X, jnp.bfloat16)
  where = Places(jnp.zeros_like(SEGMENTS), jnp.asarray(SEGMENTS))
  variables = layer.init(jax.random.key(0), x, where)
  y, new = layer.apply(variables, x, where, mutable=["cache"])
  assert y.dtype == jnp.bfloat16
  assert new["cache"].pop("segment").dtype == jnp.int32
  state = jax.tree.leaves(new["cache"])
  assert state and {leaf.dtype for leaf in state} == {jnp.dtype("float32")}
  # Not one of them fits into bfloat16: nothing was rounded on the way.
  for leaf in state:
    kept = leaf[:3]
    assert (kept != kept.astype(jnp.bfloat16).astype(jnp.float32)).mean() > 0.5


def test_products_are_made_in_bfloat16_and_summed_in_float32():
  # There 1.001 is rounded to 1, while 301 is no number of bfloat16.
  x, kernel = jnp.ones((1, 301), jnp.bfloat16), jnp.full((301, 1), 1.001)
  product = multiply(x, [kernel, kernel])
  assert product.dtype == jnp.float32
  np.testing.assert_array_equal(product, np.full((1, 2), 301.0))


def test_gradients_of_kernels_are_summed_in_float32():
  class Product(nn.Module):
    @nn.compact
    def __call__(self, x: Any, segments: Any) -> Any:
      kernels = Kernel(2, 1, name="input")(x.shape[-1])

      def step(state: Any, x: Any) -> Any:
        return {"hidden": multiply(x, kernels)}

      return recur(self, step, {"hidden": 2}, x, segments)

  # Ones, more than the 256 at which a sum of ones stops in bfloat16.
  x, segments = jnp.ones((1, 600, 1), jnp.bfloat16), jnp.ones((1, 600), int)
  variables = Product().init(jax.random.key(0), x, segments)

  @jax.grad
  def slope(variables: Any) -> Any:
    return Product().apply(variables, x, segments).astype(jnp.float32).sum()

  kernel = slope(variables)["params"]["input"]["kernel"]
  np.testing.assert_array_equal(kernel, np.full((1, 2), 600.0))
