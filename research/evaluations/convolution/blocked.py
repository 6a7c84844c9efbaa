"""The causal convolution block by block, for filters shorter than the row."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from research.shapes import Activations, Segments

MATRIX = 64
"""Rows of up to so many tokens are one matrix product a channel."""
_LEAST = 64
"""The smallest block of a longer row."""


def blocks(
  x: Activations, filters: Float[Array, "s d"], segments: Segments
) -> Activations:
  """The causal convolution of rows of one segment.

  A short row is multiplied with the Toeplitz matrix T_ts = w_{t−s} of the
  filter. A longer one is cut into blocks at least as long as the filter; what
  each of them adds to itself and to the next is one transform of both
  (overlap-add). Cost: O(t log s) time for s taps.
  """
  b, t, d = x.shape
  valid = (segments > 0)[..., None]
  x = jnp.where(valid, x, 0)
  if t <= MATRIX:
    y = jnp.einsum("tsd,bsd->btd", _toeplitz(filters, t), x)
    return jnp.where(valid, y, 0)
  size = block_of(filters.shape[0], t)
  x = jnp.pad(x, ((0, 0), (0, -t % size), (0, 0)))
  spectrum = jnp.fft.rfft(x.reshape(b, -1, size, d), n=2 * size, axis=2)
  own = jnp.fft.rfft(filters[: size + 1], n=2 * size, axis=0)
  y = jnp.fft.irfft(spectrum * own[None, None], n=2 * size, axis=2)
  late = jnp.pad(y[:, :-1, size:], ((0, 0), (1, 0), (0, 0), (0, 0)))
  y = (y[:, :, :size] + late).reshape(x.shape)[:, :t]
  return jnp.where(valid, y, 0)


def block_of(taps: int, length: int) -> int:
  """How long a block is: a power of two, or the whole row."""
  size = _LEAST
  while size < taps - 1:
    size *= 2
  return min(size, length)


def _toeplitz(filters: Float[Array, "s d"], t: int) -> Float[Array, "t t d"]:
  """w_{t−s} for all pairs of tokens, and 0 for s > t.

  The filter and as many zeros, written down again and again, and read in rows
  that are shorter by one: every row begins one token later. A gather would do
  the same, but its gradient takes longer.
  """
  filters = filters[:t]
  d = filters.shape[1]
  line = jnp.pad(filters, ((0, 2 * t - filters.shape[0]), (0, 0)))
  lines = jnp.broadcast_to(line[None], (t, 2 * t, d)).reshape(-1, d)
  # Row s holds w_{t−s}.
  skewed = lines[: t * (2 * t - 1)].reshape(t, 2 * t - 1, d)
  return jnp.swapaxes(skewed[:, :t], 0, 1)
