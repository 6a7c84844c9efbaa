"""Convolution along the sequence without parameters, exact at segments.

Formula: y_t = Σ_i w_i x_{t + ahead − i}, over the taps that lie within the
segment of t; taps on padding, or on another segment, are dropped.

Two forms agree in value and gradient, and neither is `lax.conv`, whose weight
gradient is tens of times slower inside a loop on CPU:

- "direct": one shifted product a tap. Cost: O(t s) time for s taps.
- "fft": if no row of the batch holds two segments, one Fourier product of
  the whole row. Cost: O(t log t) time. Its rounding errors, and NaN, spread
  over the row, to earlier tokens too. Else Fourier products between halves,
  halves of halves, and so on: one segment at most crosses the middle of a
  block, so masking both halves to it makes every product exact. Cost:
  O(t log² t) time. Which of the two is decided when it runs; a `vmap` over
  batches of different segments computes both.
"""

from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Shaped

from research.places import gather
from research.shapes import Activations, Asked, Segments

# Milliseconds forwards and backwards in a scanned step (b = t = d = 64, one
# of 2 cores): direct 1.4 for 4 taps, 3.5 for 8, 4.2 for 10, 5.0 for 12 and 9.6
# for 16; fft 4.1 for any number.
_DIRECT_TAPS = 10
# Of `_halves`: the smallest blocks are done directly, and matrix products join
# halves of up to `_MATMUL_HALF` tokens: 9.1, and 12.0 with transforms alone.
_BLOCK = 8
_MATMUL_HALF = 32


def convolve(
  x: Activations,
  filters: Float[Array, "s d"],
  segments: Segments,
  *,
  ahead: int = 0,
  form: Literal["auto", "direct", "fft"] = "auto",
) -> Activations:
  """Each channel with its own filter: y_t = Σ_i w_i x_{t + ahead − i}.

  Args:
    x: Float[b t d].
    filters: w, Float[s d]: s taps, the first on the latest token.
    segments: Int[b t]; 0 is padding, where y is zero.
    ahead: how many of the taps are on later tokens; 0 is causal.
    form: "auto" is the faster one for this number of taps.

  Returns:
    Float[b t d] of the dtype of `x`; sums are float32.

  Raises:
    ValueError: no such form; `ahead` is not among the taps.
  """
  taps = filters.shape[0]
  if not 0 <= ahead < taps:
    raise ValueError(f"ahead = {ahead}; allowed: 0 to {taps - 1}")
  if form == "auto":
    form = "direct" if taps <= _DIRECT_TAPS else "fft"
  if form == "direct":
    return _direct(x, filters, segments, ahead).astype(x.dtype)
  if form != "fft":
    raise ValueError(f"form = {form!r}; allowed: 'auto', 'direct', 'fft'")
  wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
  y = _fourier(wide, filters[ahead:], segments)
  if ahead:
    later = jnp.pad(filters[:ahead][::-1], ((1, 0), (0, 0)))
    back = _fourier(jnp.flip(wide, 1), later, jnp.flip(segments, 1))
    y = y + jnp.flip(back, 1)
  return y.astype(x.dtype)


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


def neighbours(
  x: Activations, segments: Segments, before: int, after: int
) -> Float[Array, "b t window"]:
  """[x_{t−before} … x_{t+after}] side by side: window = d (before+1+after).

  A dense convolution is one matrix product of this, 1.6 to 4.5 times faster
  (windows of 3 and 9) than a sum of shifted matrix products. Zeros stand
  for what lies outside of the segment of t. Cost: O(t window) memory.
  """
  offsets = range(-before, after + 1)
  near = [_neighbour(x, segments, offset) for offset in offsets]
  return jnp.concatenate(near, axis=-1)


def _direct(
  x: Activations,
  filters: Float[Array, "s d"],
  segments: Segments,
  ahead: int,
) -> Activations:
  """A sum of shifted products; filters of float32 make it float32."""
  near = [
    _neighbour(x, segments, ahead - tap) * filters[tap][None, None, :]
    for tap in range(filters.shape[0])
  ]
  return sum(near[1:], near[0])


def _neighbour(x: Activations, segments: Segments, offset: int) -> Activations:
  """x_{t + offset}, or zeros if that is not in the segment of t."""
  same = (_shift(segments, offset) == segments) & (segments > 0)
  return jnp.where(same[..., None], _shift(x, offset), 0)


def _shift(x: Shaped[Array, "b t ..."], offset: int) -> Array:
  """x_{t + offset}, or zeros outside of the row."""
  if offset == 0:
    return x
  gap = min(abs(offset), x.shape[1])
  zeros = jnp.zeros((x.shape[0], gap) + x.shape[2:], x.dtype)
  if offset > 0:
    return jnp.concatenate([x[:, gap:], zeros], axis=1)
  return jnp.concatenate([zeros, x[:, : x.shape[1] - gap]], axis=1)


@jax.custom_vjp
def _fourier(
  x: Activations, filters: Float[Array, "s d"], segments: Segments
) -> Activations:
  """The causal convolution in the faster way that is exact.

  The gradient chooses again: what both ways keep for it would be more than
  the inputs. Forwards and backwards 4.1, 4.7 and 12 ms at lengths of 64, 256
  and 1,024 (4,096 or 8,192 tokens, d = 64), and 9, 14 and 41 by halves alone.
  """
  ways = _whole_row, _halves
  return jax.lax.cond(_apart(segments), *ways, x, filters, segments)


def _fourier_forward(
  x: Activations, filters: Float[Array, "s d"], segments: Segments
) -> tuple[Activations, tuple[Array, Array, Array]]:
  return _fourier(x, filters, segments), (x, filters, segments)


def _fourier_backward(
  given: tuple[Array, Array, Array], slope: Activations
) -> tuple[Array, Array, None]:
  def backward(way: Callable[..., Array]) -> Callable[..., Any]:
    def slopes(x: Array, filters: Array, segments: Array, y: Array) -> Any:
      return jax.vjp(lambda *two: way(*two, segments), x, filters)[1](y)

    return slopes

  ways = backward(_whole_row), backward(_halves)
  return *jax.lax.cond(_apart(given[2]), *ways, *given, slope), None


_fourier.defvjp(_fourier_forward, _fourier_backward)


def _apart(segments: Segments) -> Bool[Array, ""]:
  """Whether no row holds two segments."""
  last = jnp.max(segments, axis=1, keepdims=True)
  return jnp.all((segments == last) | (segments == 0))


def _whole_row(
  x: Activations, filters: Float[Array, "s d"], segments: Segments
) -> Activations:
  """The causal convolution of rows of one segment, by one transform."""
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
  lie in the two halves of one larger block, and `_join` sums them.
  """
  b, t, d = x.shape
  size = _BLOCK
  while size < t:
    size *= 2
  x = jnp.pad(x, ((0, 0), (0, size - t), (0, 0)))
  segments = jnp.pad(segments, ((0, 0), (0, size - t)))
  filters = filters[:size]
  filters = jnp.pad(filters, ((0, size - filters.shape[0]), (0, 0)))
  blocks = x.reshape(-1, _BLOCK, d)
  y = _direct(blocks, filters[:_BLOCK], segments.reshape(-1, _BLOCK), 0)
  y = y.reshape(b, size, d)
  half = _BLOCK
  while half < size:
    left, right = _crossing(segments.reshape(b, -1, 2, half))
    half_x = jnp.where(left, x.reshape(b, -1, 2, half, d)[:, :, 0], 0)
    late = jnp.where(right, _join(half_x, filters[: 2 * half]), 0)
    early = jnp.zeros_like(late)
    y = y + jnp.stack([early, late], axis=2).reshape(b, size, d)
    half *= 2
  return y[:, :t]


def _crossing(segments: Array) -> tuple[Array, Array]:
  """Of blocks [b blocks 2 half], the tokens of the segment over the middle.

  Returns:
    Bool[b blocks half 1] for the left half, and for the right.
  """
  left, right = segments[:, :, 0], segments[:, :, 1]
  number = right[:, :, :1]
  crosses = (left == number) & (number > 0)
  return crosses[..., None], (right == number)[..., None]


def _join(
  left: Float[Array, "b blocks half d"], filters: Float[Array, "twice d"]
) -> Float[Array, "b blocks half d"]:
  """What the left halves of blocks add to the right ones.

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
