"""What modifications are given, and what they may give back."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.evaluations.attention.attend import attention
from research.evaluations.attention.base import Side, meet
from research.evaluations.attention.modifications import change, permit
from research.evaluations.attention.rules import Parts, rules
from research.heads.differential import Differential
from research.masks import Causal, Full
from tests.tolerance import assert_close

B, H, T, S = 2, 3, 4, 5
HEADS = jnp.arange(H)
SCORES = np.random.default_rng(3).normal(size=(B, H, T, S)).astype(np.float32)
AT_Q = jnp.asarray([[4, 5, 6, 9], [0, 1, 2, 3]])
AT_K = jnp.asarray([[2, 4, 5, 6, 9], [0, 1, 2, 3, 7]])
WHERE = np.ix_(np.arange(B), np.arange(H), np.arange(T), np.arange(S))


def places(at: jax.Array, axis: int) -> np.ndarray:
  """Positions along the axis of queries, 2, or keys, 3, of all pairs."""
  shape = [B, 1, 1, 1]
  shape[axis] = at.shape[1]
  return np.broadcast_to(np.asarray(at).reshape(shape), (B, H, T, S))


def test_a_score_arrives_with_its_place():
  kinds = []

  def seen(*given: Any) -> Any:
    kinds.append([(x.shape, x.dtype) for x in given])
    score, batch, head, query, key = given
    place = ((batch * 10 + head) * 10 + query) * 10 + key
    return jnp.where(score > 0, place.astype(jnp.float32), -score)

  found = change("score_mod", seen, jnp.asarray(SCORES), AT_Q, AT_K, HEADS)
  integer = ((), jnp.dtype(jnp.int32))
  assert kinds == [[((), jnp.dtype(jnp.float32)), *[integer] * 4]]
  batch, head, _, _ = WHERE
  place = (batch * 10 + head) * 100 + places(AT_Q, 2) * 10 + places(AT_K, 3)
  np.testing.assert_array_equal(found, np.where(SCORES > 0, place, -SCORES))


def test_the_maps_of_a_head_have_its_number():
  def numbered(score: Any, batch: Any, head: Any, *_: Any) -> Any:
    return head.astype(jnp.float32)

  def second(batch: Any, head: Any, *_: Any) -> Any:
    return head == 1

  parts = Parts(joint=Differential(), score_mod=numbered, mask_mod=second)
  made = rules(parts, 3, 3, 2)
  one, vectors = Side(jnp.zeros((1, 1), int)), jnp.ones((1, 1, 6, 2))
  found, allowed = made.scores(vectors, vectors, meet(Full(), one, one, made))
  assert found[0, :, 0, 0].tolist() == [0, 0, 1, 1, 2, 2]
  assert allowed[0, :, 0, 0].tolist() == [False] * 2 + [True] * 2 + [False] * 2


def test_a_pair_arrives_with_its_place():
  def seen(batch: Any, head: Any, query: Any, key: Any) -> Any:
    return (batch == 1) & (head != 2) & (query + 4 > 2 * key)

  found = permit("mask_mod", seen, AT_Q, AT_K, HEADS)
  batch, head, _, _ = WHERE
  wanted = (batch == 1) & (head != 2)
  wanted = wanted & (places(AT_Q, 2) + 4 > 2 * places(AT_K, 3))
  assert found.dtype == bool and found.shape == (B, H, T, S)
  np.testing.assert_array_equal(found, wanted)


def test_positions_on_a_grid_arrive_as_vectors():
  grid = jnp.asarray([[[0, 0], [0, 1], [1, 0], [1, 1]]])

  def taxicab(score: Any, b: Any, h: Any, query: Any, key: Any) -> Any:
    assert query.shape == key.shape == (2,)
    return score - jnp.sum(jnp.abs(query - key)).astype(jnp.float32)

  where = grid, grid, HEADS[:1]
  found = change("score_mod", taxicab, jnp.zeros((1, 1, 4, 4)), *where)
  wanted = [[0, 1, 1, 2], [1, 0, 2, 1], [1, 2, 0, 1], [2, 1, 1, 0]]
  np.testing.assert_array_equal(found[0, 0], -np.asarray(wanted))


@pytest.mark.parametrize("form", ["dense", "blockwise"])
@pytest.mark.parametrize(
  ("name", "function", "message"),
  [
    ("score_mod", lambda s, b, h, q, k: s[None], r"float32\[1\] .*float32\[\]"),
    ("score_mod", lambda s, b, h, q, k: q, r"int32\[\] for .*float32\[\]"),
    ("score_mod", lambda s, b, h, q, k: s > 0, r"bool\[\] for .*float32\[\]"),
    (
      "weight_mod",
      lambda w, b, h, q, k: w.astype(jnp.bfloat16),
      r"bfloat16\[\] for .*allowed: float32\[\]",
    ),
    (
      "weight_mod",
      lambda w, b, h, q, k: w * jnp.ones((2, 1)),
      r"float32\[2, 1\] for .*allowed: float32\[\]",
    ),
    ("mask_mod", lambda b, h, q, k: q - k, r"int32\[\] for .*bool\[\]"),
    (
      "mask_mod",
      lambda b, h, q, k: jnp.stack([q, k]) > 0,
      r"bool\[2\] for .*allowed: bool\[\]",
    ),
  ],
)
def test_anything_but_one_number_is_refused(name, function, message, form):
  x = jnp.zeros((1, 8, 1, 2))
  with pytest.raises(ValueError, match=f"{name} gave {message}"):
    jax.eval_shape(
      lambda: attention(x, x, x, evaluation=form, **{name: function})
    )


def test_a_constant_is_a_number():
  x = jnp.asarray(SCORES[:, :, :, 0])[..., None]
  changes = {
    "score_mod": lambda *_: 2.0,
    "mask_mod": lambda *_: True,
    "weight_mod": lambda *_: 0.5,
  }

  @jax.jit
  def run(x: Any) -> Any:
    return attention(x, x, x, evaluation="dense", **changes)

  y = run(x)
  wanted = 0.5 * np.sum(x, axis=1, keepdims=True)
  assert_close(y, np.broadcast_to(wanted, y.shape), level="core")


@pytest.mark.parametrize("form", ["dense", "blockwise"])
def test_no_weight_is_given_to_whom_is_forbidden(form):
  v = jnp.asarray(SCORES[:, :, :, 0])[..., None]

  @jax.jit
  def run(v: Any) -> Any:
    return attention(
      v,
      v,
      v,
      mask=Causal(),
      mask_mod=lambda b, h, q, k: (k != 1) | (b == 0),
      weight_mod=lambda *_: 1.0,
      evaluation=form,
    )

  left = np.array(v)
  left[1, 1] = 0
  assert_close(run(v), np.cumsum(left, axis=1), level="core")


@pytest.mark.parametrize("form", ["dense", "blockwise"])
def test_what_a_score_of_minus_infinity_forbids_gets_no_weight(form):
  def hide(score: Any, b: Any, h: Any, query: Any, key: Any) -> Any:
    return jnp.where(key == 1, -jnp.inf, score)

  @jax.jit
  def run(v: Any) -> Any:
    return attention(
      v,
      v,
      v,
      mask=Causal(),
      score_mod=hide,
      weight_mod=lambda *_: 1.0,
      evaluation=form,
    )

  v = jnp.asarray(SCORES[:, :, :, 0])[..., None]
  left = np.array(v)
  left[:, 1] = 0
  assert_close(run(v), np.cumsum(left, axis=1), level="core")


@pytest.mark.parametrize("form", ["dense", "blockwise"])
def test_weights_of_whom_is_forbidden_have_no_slope(form):
  """The root's slope is infinite at the weight of a forbidden key."""
  q = jnp.asarray(SCORES)

  @jax.jit
  def slopes(q: Any) -> Any:
    def loss(q: Any) -> Any:
      given = {"mask": Causal(), "weight_mod": lambda w, *_: jnp.sqrt(w)}
      return attention(q, q, q, **given, evaluation=form).sum()

    return jax.grad(loss)(q)

  assert np.isfinite(slopes(q)).all()


def test_forward_mode_is_dense_alone():
  q = jnp.asarray(SCORES)

  def tangent(form: Any) -> Any:
    return jax.jvp(lambda q: attention(q, q, q, evaluation=form), (q,), (q,))

  assert np.isfinite(jax.jit(lambda: tangent("dense"))()[1]).all()
  with pytest.raises(TypeError, match="forward-mode"):
    tangent("blockwise")
