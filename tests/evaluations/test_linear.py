"""Linear attention in chunks against float64, continued, and both ways."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.evaluations.linear import (
  EPSILON,
  State,
  linear_attend,
  linear_attend_both,
  linear_attend_quadratic,
)
from tests.tolerance import assert_close

B, T, H, K, V = 3, 22, 2, 3, 5

generator = np.random.default_rng(9)
Q = np.abs(generator.normal(size=(B, T, H, K))).astype(np.float32) + 0.1
KEYS = np.abs(generator.normal(size=(B, T, H, K))).astype(np.float32) + 0.1
VALUES = generator.normal(size=(B, T, H, V)).astype(np.float32)
SEED = generator.normal(size=(B, T, H, V)).astype(np.float32)
SEGMENTS = np.ones((B, T), np.int32)
SEGMENTS[1] = np.repeat([4, 2, 3, 1, 5], [1, 7, 2, 8, 4])
SEGMENTS[2] = np.repeat([0, 2, 0, 1, 0], [3, 8, 4, 6, 1])


def reference(
  causal: bool, q: Any = Q, k: Any = KEYS, v: Any = VALUES, seed: Any = SEED
) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
  """Values and gradients in float64, a score for every pair."""
  q, k, v, seed = (np.asarray(a, np.float64) for a in (q, k, v, seed))
  allowed = SEGMENTS[:, :, None] == SEGMENTS[:, None, :]
  allowed = allowed & (SEGMENTS > 0)[:, :, None]
  if causal:
    allowed = allowed & np.tri(T, dtype=bool)
  scores = np.einsum("bthk,bshk->bhts", q, k) * allowed[:, None]
  total = np.moveaxis(scores.sum(axis=-1), 1, 2)[..., None] + EPSILON
  y = np.einsum("bhts,bshv->bthv", scores, v) / total
  slope_total = -np.sum(seed * y / total, axis=-1)
  slope = np.einsum("bthv,bshv->bhts", seed / total, v)
  slope = slope + np.moveaxis(slope_total, 2, 1)[..., None]
  slope = slope * allowed[:, None]
  return y, (
    np.einsum("bhts,bshk->bthk", slope, k),
    np.einsum("bhts,bthk->bshk", slope, q),
    np.einsum("bhts,bthv->bshv", scores, seed / total),
  )


def ours(form: Any, dtype: Any = jnp.float32) -> Any:
  @jax.jit
  def both(*inputs: Any) -> Any:
    def call(q: Any, k: Any, v: Any) -> Any:
      return form(q, k, v, jnp.asarray(SEGMENTS))

    y, back = jax.vjp(call, *inputs)
    return y, back(jnp.asarray(SEED, y.dtype))

  return both(*(jnp.asarray(a, dtype) for a in (Q, KEYS, VALUES)))


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("chunk", [4, 11, 64, None])
def test_linear_attention_agrees_with_float64(causal, chunk):
  def form(q: Any, k: Any, v: Any, segments: Any) -> Any:
    if chunk is None:
      return linear_attend_quadratic(q, k, v, segments, causal=causal)
    if causal:
      return linear_attend(q, k, v, segments, chunk=chunk)[0]
    return linear_attend_both(q, k, v, segments, chunk=chunk)

  y, gradients = ours(form)
  wanted = reference(causal)
  assert_close(y, wanted[0], level="core")
  assert_close(gradients, wanted[1], level="core", gradient=True)
  assert not np.asarray(y)[SEGMENTS == 0].any()


def test_linear_attention_in_bfloat16():
  def form(q: Any, k: Any, v: Any, segments: Any) -> Any:
    y, state = linear_attend(q, k, v, segments, chunk=4)
    assert state.matrix.dtype == state.total.dtype == jnp.float32
    return y

  y, gradients = ours(form, jnp.bfloat16)
  assert y.dtype == jnp.bfloat16
  assert all(leaf.dtype == jnp.bfloat16 for leaf in gradients)
  q, k, v, seed = (
    jnp.asarray(a, jnp.bfloat16) for a in (Q, KEYS, VALUES, SEED)
  )
  wanted, _ = reference(True, q, k, v, seed)
  assert_close(y, wanted, level="core")


@pytest.mark.parametrize("cuts", [(5, 13), (3, 11, 15), (1, 2)])
def test_a_continued_state_is_the_whole(cuts):
  attend = jax.jit(
    lambda q, k, v, s, state: linear_attend(q, k, v, s, chunk=4, state=state)
  )
  state = State(
    jnp.zeros((B, H, K, V)), jnp.zeros((B, H, K)), jnp.zeros((B,), jnp.int32)
  )
  pieces = []
  for start, stop in zip((0, *cuts), (*cuts, T), strict=True):
    new = (a[:, start:stop] for a in (Q, KEYS, VALUES, SEGMENTS))
    y, state = attend(*new, state)
    pieces.append(y)
  wanted, _ = reference(True)
  assert_close(jnp.concatenate(pieces, axis=1), wanted, level="core")
  # The last segment of each row, whether padding followed or not.
  for row, number in enumerate((1, 5, 1)):
    own = SEGMENTS[row] == number
    k, v = (np.asarray(a[row, own], np.float64) for a in (KEYS, VALUES))
    matrix = np.einsum("shk,shv->hkv", k, v)
    assert_close(state.matrix[row], matrix, level="core")
    assert_close(state.total[row], k.sum(axis=0), level="core")
    assert state.segment[row] == number


def test_padding_leaves_the_state_as_it_is():
  new = [jnp.asarray(a[:, :5]) for a in (Q, KEYS, VALUES)]
  state = State(
    jnp.ones((B, H, K, V)), jnp.ones((B, H, K)), jnp.array([1, 2, 3])
  )
  empty = jnp.zeros((B, 5), jnp.int32)
  y, after = linear_attend(*new, empty, state=state)
  jax.tree.map(np.testing.assert_array_equal, after, state)
  assert not y.any()
