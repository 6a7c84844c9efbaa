"""The causal convolution by Fourier products, exact at segments.

If no row of the batch holds two segments, a product of whole rows is exact,
and so is one of whole blocks. Its rounding errors, and NaN, spread over the
row, to earlier tokens too. Else there are products between halves of a block,
halves of halves, and so on: one segment at most crosses the middle of a block,
so masking both halves to it makes every product exact. Which of the two is
decided when it runs; a `vmap` over batches of different segments computes
both.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from research.evaluations.convolution.base import apart
from research.evaluations.convolution.direct import direct
from research.shapes import Activations, Segments

Way = Callable[..., Array]
"""A convolution of x with filters among segments."""

# Of `_halves`: the smallest blocks are done directly, and matrix products join
# halves of up to `_MATMUL_HALF` tokens: 9.1, and 12.0 with transforms alone.
_BLOCK = 8
_MATMUL_HALF = 32


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def exact(
  way: Way,
  x: Activations,
  filters: Float[Array, "s d"],
  segments: Segments,
) -> Activations:
  """The causal convolution in a way that needs rows of one segment, or not.

  The gradient chooses again: what both ways keep for it would be more than
  the inputs. For `whole_row`, forwards and backwards 4.1, 4.7 and 12 ms at
  lengths of 64, 256 and 1,024 (4,096 or 8,192 tokens, d = 64), and 9, 14 and
  41 by halves alone.
  """
  return jax.lax.cond(apart(segments), way, _halves, x, filters, segments)


def _forward(
  way: Way, x: Array, filters: Array, segments: Array
) -> tuple[Array, tuple[Array, Array, Array]]:
  return exact(way, x, filters, segments), (x, filters, segments)


def _backward(
  way: Way, given: tuple[Array, Array, Array], slope: Array
) -> tuple[Array, Array, None]:
  def backward(way: Way) -> Callable[..., Any]:
    def slopes(x: Array, filters: Array, segments: Array, y: Array) -> Any:
      return jax.vjp(lambda *two: way(*two, segments), x, filters)[1](y)

    return slopes

  ways = backward(way), backward(_halves)
  return *jax.lax.cond(apart(given[2]), *ways, *given, slope), None


exact.defvjp(_forward, _backward)


def whole_row(
  x: Activations, filters: Float[Array, "s d"], segments: Segments
) -> Activations:
  """The causal convolution of rows of one segment, by one transform.

  Cost: O(t log t) time.
  """
  length, valid = x.shape[1], (segments > 0)[..., None]
  size = 2 * length
  spectrum = jnp.fft.rfft(jnp.where(valid, x, 0), n=size, axis=1)
  spectrum *= jnp.fft.rfft(filters[:length], n=size, axis=0)[None]
  y = jnp.fft.irfft(spectrum, n=size, axis=1)[:, :length]
  return jnp.where(valid, y, 0)


def _halves(
  x: Activations, filters: Float[Array, "s d"], segments: Segments
) -> Activations:
  """The causal convolution by division into halves.

  Pairs of tokens within a block of `_BLOCK` are summed directly. All others
  lie in the two halves of one larger block, and `_join` sums them. Blocks as
  long as the filter are the largest: then each is joined to the next.
  Cost: O(t log² s) time for s taps.
  """
  b, t, d = x.shape
  size = _BLOCK
  while size < min(t, filters.shape[0]):
    size *= 2
  blocks = -(-t // size)
  x = jnp.pad(x, ((0, 0), (0, blocks * size - t), (0, 0)))
  segments = jnp.pad(segments, ((0, 0), (0, blocks * size - t)))
  filters = filters[: 2 * size]
  filters = jnp.pad(filters, ((0, 2 * size - filters.shape[0]), (0, 0)))
  smallest = x.reshape(-1, _BLOCK, d)
  y = direct(smallest, filters[:_BLOCK], segments.reshape(-1, _BLOCK), 0, 1)
  y = y.reshape(b, -1, d)
  half = _BLOCK
  while half < size:
    pairs = segments.reshape(b, -1, 2, half)
    left, right = _crossing(pairs[:, :, 0], pairs[:, :, 1])
    half_x = jnp.where(left, x.reshape(b, -1, 2, half, d)[:, :, 0], 0)
    late = jnp.where(right, _join(half_x, filters[: 2 * half]), 0)
    early = jnp.zeros_like(late)
    y = y + jnp.stack([early, late], axis=2).reshape(y.shape)
    half *= 2
  if blocks > 1:
    parts = segments.reshape(b, blocks, size)
    left, right = _crossing(parts[:, :-1], parts[:, 1:])
    part_x = jnp.where(left, x.reshape(b, blocks, size, d)[:, :-1], 0)
    late = jnp.where(right, _join(part_x, filters), 0)
    late = late.reshape(b, -1, d)
    y = y + jnp.pad(late, ((0, 0), (size, 0), (0, 0)))
  return y[:, :t]


def _crossing(left: Array, right: Array) -> tuple[Array, Array]:
  """Of neighbouring blocks, the tokens of the segment over their border.

  Args:
    left: segments [b blocks half].
    right: of the block behind each, [b blocks half].

  Returns:
    Bool[b blocks half 1] for the left blocks, and for the right ones.
  """
  number = right[:, :, :1]
  crosses = (left == number) & (number > 0)
  return crosses[..., None], (right == number)[..., None]


def _join(
  left: Float[Array, "b blocks half d"], filters: Float[Array, "twice d"]
) -> Float[Array, "b blocks half d"]:
  """What blocks add to the blocks behind them.

  A circular transform of both halves: what wraps around falls on the left
  one, which is cut away.
  """
  half = left.shape[2]
  if half <= _MATMUL_HALF:
    place = np.arange(half)
    lag = half + place[:, None] - place[None, :]
    return jnp.einsum("tsd,bnsd->bntd", filters[lag], left)
  spectrum = jnp.fft.rfft(left, n=2 * half, axis=2)
  spectrum = spectrum * jnp.fft.rfft(filters, axis=0)[None, None]
  return jnp.fft.irfft(spectrum, n=2 * half, axis=2)[:, :, half:]
