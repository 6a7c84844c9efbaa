"""Block by block, against float64; what it does not keep in memory."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, PartitionSpec

from research.evaluations.attention import products
from research.evaluations.attention.attend import attention
from research.masks import Causal, Full, Mask, Window
from tests.evaluations.attention.problem import drawn, ours, reference
from tests.small_blocks import blocks_of
from tests.tolerance import assert_close

B, T = 2, 11
GIVEN = drawn(T, T)
Q, KEYS, VALUES, BIAS, SEED = GIVEN


APART = pytest.mark.parametrize(
  "small_blocks", [False, True], ids=["together", "apart"], indirect=True
)
"""All heads in a block, and one in each."""


@pytest.fixture(autouse=True)
def small_blocks(request, monkeypatch):
  """Whose products are made as those of large ones are."""
  monkeypatch.setattr(products, "SHARED", 1)
  with blocks_of(4, apart=getattr(request, "param", False)):
    yield


def seen(mask: Mask, t: int, s: int) -> np.ndarray:
  allowed = mask.allows(np.arange(t)[:, None], np.arange(s)[None, :])
  return np.broadcast_to(allowed, (B, t, s))


def check(found: Any, wanted: Any) -> None:
  assert_close(found[0], wanted[0], level="core")
  assert_close(found[1], wanted[1], level="core", gradient=True)


@pytest.mark.parametrize(
  ("mask", "t", "s"),
  [
    (Causal(), 8, 8),
    (Causal() & Window(3), 14, 14),
    (Full(), 5, 14),
    (Causal(), 14, 8),
    (Full(), 1, 8),
  ],
  ids=str,
)
def test_it_agrees_with_float64(mask, t, s):
  given = drawn(t, s)
  found = ours("blockwise", given, mask=mask)
  check(found, reference(*given, seen(mask, t, s)))


@APART
def test_groups_of_heads_share_keys():
  given = drawn(T, T, heads=6)
  found = ours("blockwise", given, mask=Causal())
  check(found, reference(*given, seen(Causal(), T, T)))


@APART
def test_segments_do_not_interact():
  segments = np.array([[1] * 5 + [2] * 6, [1, 1, 2, 2, 2, 2, 3, 3, 0, 0, 0]])
  same = segments[:, :, None] == segments[:, None, :]
  same = same & (segments > 0)[:, :, None] & seen(Causal(), T, T)
  found = ours(
    "blockwise", GIVEN, mask=Causal(), segments=jnp.asarray(segments)
  )
  check(found, reference(*GIVEN, same))
  assert not np.asarray(found[0])[1, 8:].any()


def test_a_query_without_keys_gets_zeros():
  allowed = np.random.default_rng(7).random((B, T, T)) < 0.4
  allowed[0, :6] = allowed[1] = False
  found = ours("blockwise", GIVEN, allowed)
  assert not np.asarray(found[0])[~allowed.any(axis=-1)].any()
  assert all(np.isfinite(leaf).all() for leaf in found[1])
  check(found, reference(*GIVEN, allowed))


def test_nobody_may_look_at_anybody():
  """A far look in a short sequence leaves no block at all."""
  given = drawn(T, T)
  for mask in (Causal() & ~Window(20), ~Full()):
    y, slopes = ours("blockwise", given, mask=mask)
    assert y.shape == Q.shape and not np.asarray(y).any()
    assert not any(np.asarray(leaf).any() for leaf in slopes)


def test_more_queries_than_a_window_of_keys():
  given = drawn(22, 5)
  found = ours("blockwise", given, mask=Causal() & Window(2))
  check(found, reference(*given, seen(Causal() & Window(2), 22, 5)))


def test_what_is_added_to_the_end_is_not_a_number_of_anybody():
  """NaN where the mask forbids may not come in by queries that are none."""

  def ahead(score: Any, b: Any, h: Any, t: Any, s: Any) -> Any:
    return score - jnp.log((t - s + 1).astype(jnp.float32))

  def run(form: Any) -> Any:
    def loss(q: Any, k: Any, v: Any) -> Any:
      y = attention(q, k, v, mask=Causal(), score_mod=ahead, evaluation=form)
      return jnp.sum(y * SEED[:, :10]), y

    given = Q[:, :10], KEYS[:, :8], VALUES[:, :8]
    slopes, y = jax.jit(jax.grad(loss, (0, 1, 2), has_aux=True))(*given)
    return y, slopes

  check(run("blockwise"), jax.tree.map(np.asarray, run("dense")))


@pytest.mark.parametrize("scale", [1e4, -1e4])
def test_large_scores_pick_the_best_key(scale):
  y, gradients = ours("blockwise", (Q * scale, *GIVEN[1:]))
  assert all(np.isfinite(leaf).all() for leaf in (y, *gradients))
  scores = np.einsum("bthk,bshk->bhts", np.float64(Q) * scale, KEYS)
  chosen = np.eye(T)[scores.argmax(axis=-1)]
  assert_close(y, np.einsum("bhts,bshv->bthv", chosen, VALUES), level="core")


def test_sums_of_bfloat16_are_float32():
  """512 equal weights: in bfloat16 a sum stops growing at 256 of them."""
  length = 512
  generator = np.random.default_rng(8)
  q, k = np.zeros((2, 1, length, 1, 2))
  v, seed = generator.uniform(0.5, 1.5, size=(2, 1, length, 1, 2))

  @jax.jit
  def run(*given: Any) -> Any:
    y, back = jax.vjp(
      lambda q, k, v: attention(q, k, v, evaluation="blockwise"), *given[:3]
    )
    return y, back(given[3])

  given = tuple(jnp.asarray(a, jnp.bfloat16) for a in (q, k, v, seed))
  y, slopes = run(*given)
  assert {leaf.dtype for leaf in (y, *slopes)} == {jnp.dtype(jnp.bfloat16)}
  everybody = np.ones((1, length, length), bool)
  wanted, gradients = reference(
    *given[:3], np.zeros((1, 1, 1, 1)), given[3], everybody
  )
  assert_close(y, wanted, level="core", length=length)
  assert_close(
    slopes[2], gradients[2], level="core", length=length, gradient=True
  )


@APART
def test_two_passes_and_their_gradient():
  """Weights changed before they read: w + w² tanh(c_h (t − s))."""
  speed = jnp.asarray([0.3, 0.7])

  def run(form: Any) -> Any:
    def loss(q: Any, k: Any, v: Any, speed: Any) -> Any:
      def weight_mod(w: Any, b: Any, h: Any, t: Any, s: Any) -> Any:
        return w + w * w * jnp.tanh(speed[h] * (t - s).astype(jnp.float32))

      y = attention(
        q, k, v, mask=Causal(), weight_mod=weight_mod, evaluation=form
      )
      return jnp.sum(y * SEED), y

    given = Q, KEYS, VALUES, speed
    slopes, y = jax.jit(jax.grad(loss, (0, 1, 2, 3), has_aux=True))(*given)
    return y, slopes

  check(run("blockwise"), jax.tree.map(np.asarray, run("dense")))
  assert np.abs(run("blockwise")[1][3]).min() > 1e-3


@APART
def test_gradients_reach_what_is_closed_over():
  generator = np.random.default_rng(9)
  table = jnp.asarray(generator.normal(size=(3, 3)), jnp.float32)
  rates = jnp.asarray([0.1, 0.4])
  kinds = jnp.asarray(generator.integers(0, 3, size=(B, T)))

  def run(form: Any) -> Any:
    @jax.jit
    def loss(table: Any, rates: Any, kinds: Any) -> Any:
      def score_mod(score: Any, b: Any, h: Any, t: Any, s: Any) -> Any:
        far = jnp.abs(t - s).astype(jnp.float32)
        return score - rates[h] * far + table[kinds[b, t], kinds[b, s]]

      def mask_mod(b: Any, h: Any, t: Any, s: Any) -> Any:
        return (kinds[b, s] > 0) | (t == s)

      y = attention(
        *map(jnp.asarray, (Q, KEYS, VALUES)),
        score_mod=score_mod,
        mask_mod=mask_mod,
        evaluation=form,
      )
      return jnp.sum(y * SEED)

    return jax.value_and_grad(loss, (0, 1))(table, rates, kinds)

  found, wanted = run("blockwise"), jax.tree.map(np.asarray, run("dense"))
  check(found, wanted)
  assert np.abs(found[1][1]).min() > 1e-2


@APART
def test_under_vmap():
  """Over examples, and over what is closed over; with the gradient."""
  rates = jnp.asarray([[0.1, 0.4], [0.0, 1.0], [2.0, 0.3]])
  given = [jnp.stack([x, 2 * x, x + 1]) for x in (Q, KEYS, VALUES)]

  def run(form: Any) -> Any:
    def loss(q: Any, k: Any, v: Any, rates: Any) -> Any:
      def decay(score: Any, b: Any, h: Any, t: Any, s: Any) -> Any:
        return score - rates[h] * (t - s).astype(jnp.float32)

      y = attention(q, k, v, mask=Causal(), score_mod=decay, evaluation=form)
      return jnp.sum(y * SEED), y

    each = jax.grad(loss, (0, 1, 2, 3), has_aux=True)
    slopes, y = jax.jit(jax.vmap(each))(*given, rates)
    return y, slopes

  check(run("blockwise"), jax.tree.map(np.asarray, run("dense")))


@pytest.mark.parametrize("outer", ["reverse", "forward"])
def test_second_derivatives(outer: str):
  given = tuple(map(jnp.asarray, (Q, KEYS, VALUES)))

  def run(form: Any) -> Any:
    def loss(q: Any, k: Any, v: Any) -> Any:
      y = attention(q, k, v, mask=Causal(), evaluation=form)
      return jnp.sum(jnp.sin(y) * SEED)

    slopes = jax.grad(loss, (0, 1, 2))
    if outer == "forward":
      return jax.jit(lambda *x: jax.jvp(slopes, x, x))(*given)

    def slope(*given: Any) -> Any:
      return sum(jnp.vdot(jnp.cos(x), x) for x in slopes(*given))

    return jax.jit(jax.value_and_grad(slope, (0, 1, 2)))(*given)

  check(run("blockwise"), jax.tree.map(np.asarray, run("dense")))


@pytest.mark.timeout(120)  # devices that do not agree wait for each other
@pytest.mark.parametrize("documents", [False, True])
@pytest.mark.parametrize("keys", ["own", "shared"])
def test_devices_that_share_a_batch(keys: str, documents: bool):
  """In `shard_map` what all devices share, and what varies, are two kinds.

  Of documents, each device has other ones, and leaves other blocks empty.
  """
  number = jnp.asarray([[1] * 4 + [2] * 7, [1] * 11])
  mesh = jax.make_mesh((2,), ("b",), axis_types=(AxisType.Auto,))
  slopes = jnp.asarray([0.1, 0.3])

  def run(form: Any, spread: bool) -> Any:
    def attend(q: Any, number: Any, k: Any, slopes: Any) -> Any:
      def decay(score: Any, b: Any, h: Any, t: Any, s: Any) -> Any:
        return score - slopes[h] * (t - s)

      k = q if keys == "own" else jnp.broadcast_to(k, q.shape)
      given = {"mask": Causal(), "score_mod": decay, "evaluation": form}
      return attention(q, k, q, segments=number if documents else None, **given)

    if spread:
      specs = (PartitionSpec("b"),) * 2 + (PartitionSpec(),) * 2
      attend = jax.shard_map(
        attend, mesh=mesh, in_specs=specs, out_specs=specs[0]
      )

    def loss(q: Any, k: Any, slopes: Any) -> Any:
      y = attend(q, number, k, slopes)
      return jnp.sum(y * SEED), y

    slope = jax.jit(jax.grad(loss, (0, 1, 2), has_aux=True))
    found, y = slope(Q, Q[:1], slopes)
    return y, found

  check(run("blockwise", True), jax.tree.map(np.asarray, run("dense", False)))
