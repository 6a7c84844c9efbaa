"""Dense and grouped convolutions against float64, in both forms."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.evaluations.convolution.dense import (
  choose_product,
  mix,
  neighbours,
)
from tests.evaluations.convolution.problem import (
  PACKED,
  SEED,
  B,
  D,
  T,
  X,
  mixed,
  weights,
)
from tests.tolerance import assert_close


@functools.partial(jax.jit, static_argnums=(3, 4, 5, 6))
def both(
  x: Any,
  w: Any,
  seed: Any,
  form: Any,
  ahead: int,
  dilation: int,
  step: int = 1,
) -> Any:
  centres = slice(None, None, step)

  def call(x: Any, w: Any) -> Any:
    options = {"ahead": ahead, "dilation": dilation, "centres": centres}
    return mix(x, w, jnp.asarray(PACKED), form=form, **options)

  y, back = jax.vjp(call, x, w)
  return y, back(seed[:, centres].astype(y.dtype))


def whole(w: np.ndarray) -> np.ndarray:
  """Filters of groups [s i o] as matrices [s d o] with zeros between."""
  taps, channels, out = w.shape
  groups = D // channels
  full = np.zeros((taps, D, out))
  for group in range(groups):
    rows = slice(group * channels, (group + 1) * channels)
    columns = slice(group * (out // groups), (group + 1) * (out // groups))
    full[:, rows, columns] = w[:, :, columns]
  return full


def parts(full: np.ndarray, channels: int) -> np.ndarray:
  """The blocks on the diagonal of [s d o], as [s i o]."""
  taps, _, out = full.shape
  groups = D // channels
  blocks = full.reshape(taps, groups, channels, groups, out // groups)
  own = np.stack([blocks[:, g, :, g] for g in range(groups)], axis=2)
  return own.reshape(taps, channels, out)


@pytest.mark.parametrize("form", ["taps", "window", "auto"])
@pytest.mark.parametrize(
  ("channels", "out", "taps", "ahead", "dilation", "step"),
  [(4, 4, 3, 0, 1, 1), (2, 6, 4, 2, 3, 2), (1, 4, 3, 1, 1, 3)],
  ids=["dense", "grouped", "depthwise"],
)
def test_mix_agrees_with_float64(
  form, channels, out, taps, ahead, dilation, step
):
  w = weights(taps, channels, out)
  seed = np.resize(SEED, (B, T, out))
  y, (slope_x, slope_w) = both(X, w, seed, form, ahead, dilation, step)
  asked = seed.copy()
  asked[:, np.arange(T) % step != 0] = 0.0
  wanted, slopes = mixed(whole(w), ahead, dilation, PACKED, X, asked)
  assert_close(y, wanted[:, ::step], level="core", length=T)
  assert_close(slope_x, slopes[0], level="core", length=T, gradient=True)
  own = parts(slopes[1], channels)
  assert_close(slope_w, own, level="core", length=T, gradient=True)


def test_mix_in_bfloat16():
  x, seed = (jnp.asarray(a, jnp.bfloat16) for a in (X, SEED))
  w = weights(3, 2, D)
  y, gradients = both(x, w, seed, "auto", 0, 1)
  assert [a.dtype for a in (y, *gradients)] == ["bfloat16"] * 2 + ["float32"]
  wanted, slopes = mixed(whole(w), 0, 1, PACKED, x, seed)
  assert_close(y, wanted, level="core")
  own = parts(slopes[1], 2)
  assert_close(gradients[1], own, level="core", length=T, gradient=True)


@pytest.mark.parametrize(
  ("taps", "channels", "groups", "form"),
  [
    (3, 64, 1, "window"),
    (31, 64, 1, "taps"),
    (3, 8, 8, "taps"),
    (3, 2, 32, "window"),
  ],
)
def test_the_faster_product_is_chosen(taps, channels, groups, form):
  assert choose_product(taps, channels, groups) == form


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
  ("shape", "options", "message"),
  [
    ((3, 4, 4), {"ahead": 3}, "ahead = 3; allowed: 0 to 2"),
    ((3, 4, 4), {"form": "fft"}, "form = 'fft'; allowed: 'auto', 'taps', "),
    ((3, 3, 4), {}, "filters of 3 channels to 4 for width 4; allowed: "),
    ((3, 2, 3), {}, "filters of 2 channels to 3 for width 4; allowed: "),
  ],
)
def test_what_does_not_fit_is_refused(shape, options, message):
  with pytest.raises(ValueError, match=message):
    mix(X, weights(*shape), PACKED, **options)
