"""Both forms of the convolution against float64, and what they promise."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.evaluations.convolution import (
  convolve,
  convolve_at,
  neighbours,
)
from tests.tolerance import assert_close

# More than twice the longest matrix product, so that all kinds of joins run.
B, T, D = 4, 80, 3

generator = np.random.default_rng(7)
X = generator.normal(size=(B, T, D)).astype(np.float32)
SEED = generator.normal(size=(B, T, D)).astype(np.float32)
PACKED = np.ones((B, T), np.int32)
# Ragged pieces, pieces that end on borders of blocks, and padding around.
PACKED[1] = 9 - np.repeat(np.arange(8), [1, 2, 3, 20, 9, 30, 14, 1])
PACKED[2] = np.repeat([1, 2, 5, 3], [16, 16, 32, 16])
PACKED[3] = np.repeat([0, 1, 0, 2, 0], [5, 40, 3, 30, 2])
# One segment a row at most, for which there is a faster way.
APART = np.ones((B, T), np.int32)
APART[1] = np.repeat([2, 0], [70, 10])
APART[2] = 0
APART[3] = np.repeat([0, 3, 0], [5, 70, 5])


def weights(taps: int) -> np.ndarray:
  shape = (taps, D)
  return generator.normal(size=shape).astype(np.float32) / np.sqrt(taps)


def reference(
  w: np.ndarray,
  ahead: int,
  segments: np.ndarray = PACKED,
  x: Any = X,
  seed: Any = SEED,
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
  """Values and gradients in float64: a sum over all pairs of tokens."""
  x, w, seed = (np.asarray(a, np.float64) for a in (x, w, seed))
  lag = np.arange(T)[:, None] + ahead - np.arange(T)[None, :]
  reached = (lag >= 0) & (lag < len(w))
  together = segments[:, :, None] == segments[:, None, :]
  together = together & (segments > 0)[..., None]
  pairs = np.where(reached[..., None], w[np.clip(lag, 0, len(w) - 1)], 0.0)
  y = np.einsum("bts,tsd,bsd->btd", together, pairs, x)
  slope_x = np.einsum("bts,tsd,btd->bsd", together, pairs, seed)
  slope_pairs = np.einsum("bts,bsd,btd->tsd", together, x, seed)
  slope_w = np.zeros_like(w)
  np.add.at(slope_w, lag[reached], slope_pairs[reached])
  return y, (slope_x, slope_w)


@functools.partial(jax.jit, static_argnums=(4, 5))
def both(
  x: Any, w: Any, segments: Any, seed: Any, ahead: int, form: Any
) -> Any:
  y, back = jax.vjp(
    lambda x, w: convolve(x, w, segments, ahead=ahead, form=form), x, w
  )
  return y, back(seed.astype(y.dtype))


def ours(
  w: Any,
  ahead: int,
  form: Any,
  segments: Any = PACKED,
  x: Any = X,
  seed: Any = SEED,
) -> Any:
  return both(x, w, segments, seed, ahead, form)


@pytest.mark.parametrize("segments", [PACKED, APART], ids=["packed", "apart"])
@pytest.mark.parametrize(
  ("taps", "ahead", "form"),
  [
    (1, 0, "direct"),
    (4, 0, "direct"),
    (5, 2, "direct"),
    (4, 0, "fft"),
    (5, 2, "fft"),
    (T, 0, "fft"),
    (2 * T, 30, "fft"),
  ],
)
def test_convolve_agrees_with_float64(taps, ahead, form, segments):
  w = weights(taps)
  y, gradients = ours(w, ahead, form, segments)
  wanted = reference(w, ahead, segments)
  assert_close(y, wanted[0], level="core", length=T)
  assert_close(gradients, wanted[1], level="core", length=T, gradient=True)
  assert not np.asarray(y)[segments == 0].any()


@pytest.mark.parametrize("form", ["direct", "fft"])
def test_convolve_in_bfloat16(form):
  x, seed = (jnp.asarray(a, jnp.bfloat16) for a in (X, SEED))
  w = weights(4)
  y, gradients = ours(w, 0, form, PACKED, x, seed)
  assert [a.dtype for a in (y, *gradients)] == ["bfloat16"] * 2 + ["float32"]
  wanted, (_, slope_w) = reference(w, 0, PACKED, x, seed)
  assert_close(y, wanted, level="core")
  # Sums over tokens stay in float32: only the inputs were rounded.
  assert_close(gradients[1], slope_w, level="core", length=T, gradient=True)


@pytest.mark.parametrize(("taps", "form"), [(10, "direct"), (11, "fft")])
def test_auto_is_the_faster_form(taps, form):
  w = weights(taps)
  y, gradients = ours(w, 0, "auto")
  chosen = ours(w, 0, form)
  jax.tree.map(np.testing.assert_array_equal, (y, gradients), chosen)


@pytest.mark.parametrize("form", ["direct", "fft"])
def test_nothing_runs_backwards_nor_over_a_border(form):
  w, lost = weights(6), 37
  x = X.copy()
  x[:, lost] = np.nan
  y, clean = (np.asarray(ours(w, 0, form, x=a)[0]) for a in (x, X))
  touched = np.isnan(y).any(axis=-1)
  reached = PACKED == PACKED[:, lost, None]
  reached &= np.arange(T)[None, :] >= lost
  if form == "direct":
    reached &= np.arange(T)[None, :] < lost + len(w)
    np.testing.assert_array_equal(touched, reached)
  assert not touched[~reached].any() and touched[:, lost].all()
  np.testing.assert_array_equal(y[~reached], clean[~reached])


def test_members_side_by_side_are_members_alone():
  filters = np.stack([weights(T), weights(T)])
  given = (
    np.stack([X, X[::-1]]),
    np.stack([PACKED, APART]),
    np.stack([SEED] * 2),
  )
  together = jax.vmap(lambda *a: both(*a, 0, "fft"))
  y, gradients = together(given[0], filters, *given[1:])
  for member, (x, number, seed) in enumerate(zip(*given, strict=True)):
    wanted = reference(filters[member], 0, number, x, seed)
    assert_close(y[member], wanted[0], level="core", length=T)
    own = jax.tree.map(lambda leaf, m=member: leaf[m], gradients)
    assert_close(own, wanted[1], level="core", length=T, gradient=True)


@pytest.mark.parametrize("taps", [3, T])
def test_no_convolution_primitive_is_used(taps):
  def loss(x: Any, w: Any) -> Any:
    return jnp.sum(convolve(x, w, jnp.asarray(PACKED)) * SEED)

  program = jax.make_jaxpr(jax.grad(loss, argnums=(0, 1)))(X, weights(taps))
  assert "conv_general" not in str(program)


@pytest.mark.parametrize("taps", [4, T + 20])
def test_convolve_at_agrees(taps):
  w = weights(taps)
  at = jnp.array([[79, 0], [37, 36], [16, 15], [2, 77]])

  @jax.jit
  def both(x: Any, w: Any) -> Any:
    def call(x: Any, w: Any) -> Any:
      return convolve_at(x, w, jnp.asarray(PACKED), at)

    y, back = jax.vjp(call, x, w)
    return y, back(jnp.ones_like(y))

  y, gradients = both(jnp.asarray(X), jnp.asarray(w))
  rows = np.arange(B)[:, None]
  seed = np.zeros_like(SEED)
  seed[rows, at] = 1.0
  wanted, slopes = reference(w, 0, seed=seed)
  assert_close(y, wanted[rows, at], level="core", length=T)
  assert_close(gradients, slopes, level="core", length=T, gradient=True)


@pytest.mark.parametrize(("before", "after"), [(2, 1), (0, 0), (0, 90)])
def test_neighbours(before, after):
  seen = jax.jit(neighbours, static_argnums=(2, 3))(
    X, jnp.asarray(PACKED), before, after
  )
  wanted = np.zeros((B, T, before + 1 + after, D), np.float32)
  for b, t in np.ndindex(B, T):
    for slot in range(wanted.shape[2]):
      s = t + slot - before
      if 0 <= s < T and PACKED[b, s] == PACKED[b, t] > 0:
        wanted[b, t, slot] = X[b, s]
  np.testing.assert_array_equal(seen, wanted.reshape(B, T, -1))


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"ahead": 3}, "ahead = 3; allowed: 0 to 2"),
    ({"ahead": -1}, "ahead = -1; allowed: 0 to 2"),
    ({"form": "lax"}, "form = 'lax'; allowed: 'auto', 'direct', 'fft'"),
  ],
)
def test_what_does_not_fit_is_refused(options, message):
  with pytest.raises(ValueError, match=message):
    convolve(X, weights(3), PACKED, **options)
