"""Filters of matrices: dense and grouped convolutions.

Formula: y_t = Σ_i x_{t + ahead − i dilation} W_i, over the taps that lie within
the segment of t. With g groups, the channels of a group see each other alone:
W_i is block-diagonal. No form is `lax.conv`, whose weight gradient is tens of
times slower inside a loop on CPU.
"""

from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Float

from research.evaluations.convolution.base import check_reach, neighbour, span
from research.evaluations.convolution.depthwise import convolve
from research.record import check_literal
from research.shapes import Activations, Segments

Product = Literal["taps", "window"]
Evaluation = Literal["auto", "taps", "window"]

# Milliseconds forwards and backwards in a scanned step (b = t = d = 64, 2
# cores): a dense convolution of 3 taps 4.0 as a window and 5.6 tap by tap, of
# 9 taps 11 and 14, of 31 taps the same. In 8 groups 14 and 10 for 9 taps, in
# 32 groups of 2 channels 10 and 21.
_WINDOW_TAPS = 16
_TAPS_CHANNELS = 8


def mix(
  x: Activations,
  filters: Float[Array, "s i o"],
  segments: Segments,
  *,
  ahead: int = 0,
  dilation: int = 1,
  centres: slice = slice(None),
  form: Evaluation = "auto",
) -> Float[Array, "b a o"]:
  """Every output channel with its own taps on every channel of its group.

  Args:
    x: Float[b t d].
    filters: W, Float[s i o]: s taps, the first on the latest token, from the
      i = d / g channels of a group to all o outputs, group after group.
    segments: Int[b t]; 0 is padding, where y is zero.
    ahead: how many tokens the first tap is ahead; 0 is causal.
    dilation: tokens from one tap to the next.
    centres: the tokens t whose outputs are wanted.
    form: "taps" is a matrix product a tap, "window" a single one of all
      neighbours side by side, which are written down for it; "auto" is the
      faster one for these sizes. Depthwise filters are left to `convolve`.

  Returns:
    Float[b a o] of the dtype of `x`. Cost: O(a s i o) time, and for "window"
    O(a s d) memory; of depthwise filters all t outputs are made.

  Raises:
    ValueError: no such form; channels that are no groups; `ahead` is not
      within the filter.
  """
  taps, channels, out = filters.shape
  groups = _groups(x.shape[2], channels, out)
  check_reach(taps, ahead, dilation)
  check_literal("form", form, Evaluation)
  if form == "auto" and groups == out == x.shape[2]:
    own = filters[:, 0]
    y = convolve(x, own, segments, ahead=ahead, dilation=dilation)
    return y[:, centres]
  if form == "auto":
    form = choose_product(taps, channels, groups)
  before = span(taps, dilation) - 1 - ahead
  near = _near(x, segments, before, ahead, dilation, centres)[::-1]
  weights = filters.reshape(taps, channels, groups, -1)
  y = _products(near, weights, groups, form)
  return y.reshape(*near[0].shape[:2], out).astype(x.dtype)


def choose_product(taps: int, channels: int, groups: int) -> Product:
  """The faster form for filters of `channels` inputs, in `groups`."""
  if groups == 1:
    return "window" if taps <= _WINDOW_TAPS else "taps"
  return "taps" if channels >= _TAPS_CHANNELS else "window"


def neighbours(
  x: Activations,
  segments: Segments,
  before: int,
  after: int,
  dilation: int = 1,
) -> Float[Array, "b t window"]:
  """[x_{t−before} … x_{t+after}] side by side: window = d (before+1+after).

  Zeros stand for what lies outside of the segment of t. With a `dilation`
  only every so many-th of them. Cost: O(t window) memory.
  """
  near = _near(x, segments, before, after, dilation, slice(None))
  return jnp.concatenate(near, axis=-1)


def _near(
  x: Activations,
  segments: Segments,
  before: int,
  after: int,
  dilation: int,
  centres: slice,
) -> list[Float[Array, "b a d"]]:
  """x_{t−before}, x_{t−before+dilation}, … x_{t+after} for the centres t."""
  offsets = range(-before, after + 1, dilation)
  return [neighbour(x, segments, offset)[:, centres] for offset in offsets]


def _products(
  near: list[Float[Array, "b a d"]],
  weights: Float[Array, "s i g out"],
  groups: int,
  form: Product,
) -> Float[Array, "b a g out"]:
  """Σ_i near_i W_i, each group of channels with its own matrices."""
  b, a, _ = near[0].shape
  split = [one.reshape(b, a, groups, -1) for one in near]
  if form == "taps":
    products = [
      jnp.einsum(
        "bagi,igo->bago", one, weight, preferred_element_type=jnp.float32
      )
      for one, weight in zip(split, weights, strict=True)
    ]
    return sum(products[1:], products[0])
  window = jnp.concatenate(split, axis=-1)
  weights = weights.reshape(-1, *weights.shape[2:])
  return jnp.einsum(
    "bagi,igo->bago", window, weights, preferred_element_type=jnp.float32
  )


def _groups(width: int, channels: int, out: int) -> int:
  """How many groups filters of so many channels make."""
  if channels < 1 or width % channels or out % (width // channels):
    raise ValueError(
      f"filters of {channels} channels to {out} for width {width}; allowed: "
      "channels that divide the width into groups, and outputs that are a "
      "multiple of the groups"
    )
  return width // channels
