"""What the forms of the convolution share: neighbours within a segment."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Shaped

from research.shapes import Activations, Segments


def neighbour(x: Activations, segments: Segments, offset: int) -> Activations:
  """x_{t + offset}, or zeros if that is not in the segment of t."""
  same = (shift(segments, offset) == segments) & (segments > 0)
  return jnp.where(same[..., None], shift(x, offset), 0)


def shift(x: Shaped[Array, "b t ..."], offset: int) -> Array:
  """x_{t + offset}, or zeros outside of the row."""
  if offset == 0:
    return x
  gap = min(abs(offset), x.shape[1])
  zeros = jnp.zeros((x.shape[0], gap) + x.shape[2:], x.dtype)
  if offset > 0:
    return jnp.concatenate([x[:, gap:], zeros], axis=1)
  return jnp.concatenate([zeros, x[:, : x.shape[1] - gap]], axis=1)


def spread(
  filters: Float[Array, "taps d"], dilation: int
) -> Float[Array, "s d"]:
  """The filter with `dilation` − 1 zeros between its taps."""
  if dilation == 1:
    return filters
  taps, width = filters.shape
  zeros = jnp.zeros((taps, dilation - 1, width), filters.dtype)
  wide = jnp.concatenate([filters[:, None], zeros], axis=1)
  return wide.reshape(-1, width)[: span(taps, dilation)]


def span(taps: int, dilation: int) -> int:
  """How many tokens a filter reaches over, both ends included."""
  return (taps - 1) * dilation + 1


def apart(segments: Segments) -> Bool[Array, ""]:
  """Whether no row holds two segments."""
  last = jnp.max(segments, axis=1, keepdims=True)
  return jnp.all((segments == last) | (segments == 0))


def check_reach(taps: int, ahead: int, dilation: int) -> None:
  """Refuses taps that lie nowhere.

  Raises:
    ValueError: `dilation` is below 1, or `ahead` is not within the filter.
  """
  if dilation < 1:
    raise ValueError(f"dilation = {dilation}; allowed: 1 or more")
  last = span(taps, dilation) - 1
  if not 0 <= ahead <= last:
    raise ValueError(f"ahead = {ahead}; allowed: 0 to {last}")
