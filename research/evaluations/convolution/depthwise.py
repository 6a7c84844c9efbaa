"""Each channel with its own filter: the depthwise convolution.

Formula: y_t = Σ_i w_i x_{t + ahead − i dilation}, over the taps that lie within
the segment of t; taps on padding, or on another segment, are dropped.

Three forms agree in value and gradient, and none is `lax.conv`, whose weight
gradient is tens of times slower inside a loop on CPU:

- "direct": one shifted product a tap. Cost: O(t s) time for s taps.
- "blocked": Fourier products of blocks as long as the filter; of a short row
  one matrix product. Cost: O(t log s) time.
- "fft": Fourier products of whole rows. Cost: O(t log t) time.

Where a row holds several segments, the last two become products of halves of
blocks. Cost: O(t log² s) time.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from research.evaluations.convolution.base import check_reach, spread
from research.evaluations.convolution.blocked import blocks
from research.evaluations.convolution.choice import (
  Evaluation,
  check_form,
  choose,
)
from research.evaluations.convolution.direct import direct
from research.evaluations.convolution.fourier import Way, exact, whole_row
from research.places import gather
from research.shapes import Activations, Asked, Segments


def convolve(
  x: Activations,
  filters: Float[Array, "s d"],
  segments: Segments,
  *,
  ahead: int = 0,
  dilation: int = 1,
  form: Evaluation = "auto",
) -> Activations:
  """Each channel with its own filter: y_t = Σ_i w_i x_{t + ahead − i dilation}.

  Args:
    x: Float[b t d].
    filters: w, Float[s d]: s taps, the first on the latest token.
    segments: Int[b t]; 0 is padding, where y is zero.
    ahead: how many tokens the first tap is ahead; 0 is causal.
    dilation: tokens from one tap to the next.
    form: "auto" is the fastest one for these sizes, by `choose`.

  Returns:
    Float[b t d] of the dtype of `x`; sums are float32.

  Raises:
    ValueError: no such form; `ahead` is not within the filter.
  """
  check_form(form)
  check_reach(filters.shape[0], ahead, dilation)
  if form == "auto":
    form = choose(filters.shape[0], x.shape[0], x.shape[1], dilation)
  if form == "direct":
    return direct(x, filters, segments, ahead, dilation).astype(x.dtype)
  way = blocks if form == "blocked" else whole_row
  wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
  y = _both_sides(way, wide, spread(filters, dilation), segments, ahead)
  return y.astype(x.dtype)


def _both_sides(
  way: Way,
  x: Activations,
  filters: Float[Array, "s d"],
  segments: Segments,
  ahead: int,
) -> Activations:
  """The taps on earlier tokens, and those on later ones, by causal products."""
  y = exact(way, x, filters[ahead:], segments)
  if ahead:
    later = jnp.pad(filters[:ahead][::-1], ((1, 0), (0, 0)))
    back = exact(way, jnp.flip(x, 1), later, jnp.flip(segments, 1))
    y = y + jnp.flip(back, 1)
  return y


def convolve_at(
  x: Activations,
  filters: Float[Array, "s d"],
  segments: Segments,
  at: Asked,
) -> Float[Array, "b a d"]:
  """The causal `convolve` at the indices `at` alone.

  Cost: O(a t) time and memory, for a few outputs of a long row.
  """
  lag = at[:, :, None] - jnp.arange(x.shape[1])[None, None, :]
  own = gather(segments, at)[:, :, None]
  reached = (own == segments[:, None, :]) & (own > 0)
  reached = reached & (lag >= 0) & (lag < filters.shape[0])
  products = filters[jnp.clip(lag, 0, filters.shape[0] - 1)] * x[:, None]
  products = jnp.where(reached[..., None], products, 0)
  return jnp.sum(products, axis=2).astype(x.dtype)
