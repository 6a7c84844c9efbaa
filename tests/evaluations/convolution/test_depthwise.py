"""All forms of the convolution against float64, and what they promise."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.evaluations.convolution.choice import choose
from research.evaluations.convolution.depthwise import convolve, convolve_at
from tests.evaluations.convolution.problem import (
  APART,
  PACKED,
  SEED,
  B,
  D,
  T,
  X,
  diagonal,
  mixed,
  weights,
)
from tests.tolerance import assert_close


def reference(
  w: np.ndarray,
  ahead: int,
  segments: np.ndarray = PACKED,
  x: Any = X,
  seed: Any = SEED,
  dilation: int = 1,
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
  """Values and gradients in float64: a sum over all pairs of tokens."""
  x, w, seed = (np.asarray(a, np.float64) for a in (x, w, seed))
  y, (slope_x, slope_w) = mixed(diagonal(w), ahead, dilation, segments, x, seed)
  return y, (slope_x, np.diagonal(slope_w, axis1=1, axis2=2))


@functools.partial(jax.jit, static_argnums=(4, 5, 6))
def both(
  x: Any,
  w: Any,
  segments: Any,
  seed: Any,
  ahead: int,
  form: Any,
  dilation: int = 1,
) -> Any:
  def call(x: Any, w: Any) -> Any:
    options = {"ahead": ahead, "form": form, "dilation": dilation}
    return convolve(x, w, segments, **options)

  y, back = jax.vjp(call, x, w)
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


# A loop of taps; blocks of 64 of 80 tokens; a filter with zeros between taps.
CASES = [
  (1, 0, 1, "direct"),
  (5, 2, 1, "direct"),
  (4, 1, 3, "direct"),
  (70, 4, 2, "direct"),
  (5, 2, 1, "blocked"),
  (20, 0, 3, "blocked"),
  (65, 0, 1, "blocked"),  # as many as a block of 64 reaches, and one more
  (66, 0, 1, "blocked"),
  (5, 2, 1, "fft"),
  (T, 0, 1, "fft"),
  (2 * T, 30, 1, "fft"),
  (4, 3, 3, "fft"),
]


@pytest.mark.parametrize("segments", [PACKED, APART], ids=["packed", "apart"])
@pytest.mark.parametrize(("taps", "ahead", "dilation", "form"), CASES)
def test_convolve_agrees_with_float64(taps, ahead, dilation, form, segments):
  w = weights(taps, D)
  y, gradients = both(X, w, segments, SEED, ahead, form, dilation)
  wanted = reference(w, ahead, segments, dilation=dilation)
  assert_close(y, wanted[0], level="core", length=T)
  assert_close(gradients, wanted[1], level="core", length=T, gradient=True)
  assert not np.asarray(y)[segments == 0].any()


@pytest.mark.parametrize("taps", [1, 7, 40])
def test_a_short_row_is_one_matrix(taps):
  w, row = weights(taps, D), (slice(None), slice(0, 33))
  given = X[row], w, APART[row], SEED[row]
  y, gradients = both(*given, 0, "blocked")
  wanted = reference(w, 0, given[2], given[0], given[3])
  assert_close(y, wanted[0], level="core", length=T)
  assert_close(gradients, wanted[1], level="core", length=T, gradient=True)
  program = jax.make_jaxpr(functools.partial(convolve, form="blocked"))
  assert "fft" not in str(program(*given[:3]))


@pytest.mark.parametrize("length", [T, T - 3])
def test_a_single_row_is_no_exception(length):
  w, row = weights(4, D), (slice(1, 2), slice(0, length))
  given = X[row], w, PACKED[row], SEED[row]
  y, gradients = both(*given, 0, "direct")
  wanted = reference(w, 0, given[2], given[0], given[3])
  assert_close(y, wanted[0], level="core", length=T)
  assert_close(gradients, wanted[1], level="core", length=T, gradient=True)


@pytest.mark.parametrize("form", ["direct", "blocked", "fft"])
def test_convolve_in_bfloat16(form):
  x, seed = (jnp.asarray(a, jnp.bfloat16) for a in (X, SEED))
  w = weights(4, D)
  y, gradients = ours(w, 0, form, PACKED, x, seed)
  assert [a.dtype for a in (y, *gradients)] == ["bfloat16"] * 2 + ["float32"]
  wanted, (_, slope_w) = reference(w, 0, PACKED, x, seed)
  assert_close(y, wanted, level="core")
  # Sums over tokens stay in float32: only the inputs were rounded.
  assert_close(gradients[1], slope_w, level="core", length=T, gradient=True)


@pytest.mark.parametrize("form", ["direct", "blocked", "fft"])
def test_nothing_runs_backwards_nor_over_a_border(form):
  w, lost = weights(6, D), 37
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
  filters = np.stack([weights(T, D), weights(T, D)])
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


@pytest.mark.parametrize("taps", [3, 30, T])
def test_auto_is_the_form_that_was_chosen(taps):
  w = weights(taps, D)
  chosen = ours(w, 0, choose(taps, *PACKED.shape))
  jax.tree.map(np.testing.assert_array_equal, ours(w, 0, "auto"), chosen)


@pytest.mark.parametrize("form", ["direct", "blocked", "fft"])
def test_no_convolution_primitive_is_used(form):
  def loss(x: Any, w: Any) -> Any:
    y = convolve(x, w, jnp.asarray(PACKED), form=form)
    return jnp.sum(y * SEED)

  gradient = jax.grad(loss, argnums=(0, 1))
  program = jax.make_jaxpr(gradient)(X, weights(T, D))
  assert "conv_general" not in str(program)


@pytest.mark.parametrize("taps", [4, T + 20])
def test_convolve_at_agrees(taps):
  w = weights(taps, D)
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


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"ahead": 3}, "ahead = 3; allowed: 0 to 2"),
    ({"ahead": -1}, "ahead = -1; allowed: 0 to 2"),
    ({"ahead": 7, "dilation": 3}, "ahead = 7; allowed: 0 to 6"),
    ({"dilation": 0}, "dilation = 0; allowed: 1 or more"),
    (
      {"form": "lax"},
      "form = 'lax'; allowed: 'auto', 'direct', 'blocked', 'fft'",
    ),
  ],
)
def test_what_does_not_fit_is_refused(options, message):
  with pytest.raises(ValueError, match=message):
    convolve(X, weights(3, D), PACKED, **options)
