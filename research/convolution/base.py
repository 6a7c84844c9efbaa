"""What convolutions share: their field, the stream behind them, the gate."""

import math
from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from research.evaluations.convolution.depthwise import convolve, convolve_at
from research.mixer import Mixer, dense
from research.places import gather
from research.shapes import Activations, Asked, Segments, lacks
from research.stream import history, slots, store

Gate = Literal["linear", "silu"]
"""The function of the gate's projection; "linear" is that of BaseConv."""


Kept = tuple[Float[Array, "b s d"], Int[Array, "b s"], Asked]
"""Values of a stream, their segments, and where what is asked for stands."""


class Filtering(Mixer):
  """A mixer whose outputs depend on a stretch of inputs. Abstract."""

  def receptive_field(self, length: int) -> tuple[int, int]:
    """How far an output sees within a segment of `length` tokens.

    Returns:
      The tokens before it and the tokens after it, up to the farthest one
      that it depends on: at most `length` − 1.
    """
    raise NotImplementedError(lacks(self, "receptive_field"))


def check_centred(kernel_size: int, centred: bool) -> None:
  """Refuses, with a ValueError, a kernel without a tap in its middle."""
  if centred and kernel_size % 2 == 0:
    raise ValueError(
      f"kernel_size = {kernel_size} with centred = True; allowed: an odd number"
    )


def stretch(
  length: int, kernel_size: int, dilation: int, centred: bool
) -> tuple[int, int]:
  """The receptive field of a kernel, on both sides if it is centred."""
  reach = (kernel_size - 1) * dilation
  ahead = reach // 2 if centred else 0
  return min(reach - ahead, length - 1), min(ahead, length - 1)


def gated(y: Activations, x: Activations, gate: Gate) -> Activations:
  """W_o (gate(W_g x + β) ⊙ y), a learned layer of the calling module."""
  opening = dense(x.shape[-1], x, "gate", bias=True)
  if gate == "silu":
    opening = jax.nn.silu(opening)
  return dense(x.shape[-1], opening * y, "out")


def wide(x: Activations) -> Activations:
  """In float32: products of convolutions lose too much in bfloat16."""
  return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def recent(
  module: nn.Module,
  values: Activations,
  segments: Segments,
  at: Asked | None,
  count: int,
) -> Kept:
  """The new tokens of a stream behind the `count` tokens before them.

  Returns:
    The joined values, their segments, and where the outputs at `at` stand.
  """
  joined, segments, index = history(module, {"values": values}, segments, count)
  return joined["values"], segments, gather(index, at)


def remember(
  module: nn.Module, values: Activations, segments: Segments, at: Asked | None
) -> Kept:
  """The whole stream so far, for filters as long as the sequence.

  Returns:
    The stored values, their segments, and where the outputs at `at` stand.
  """
  slot, valid = slots(module, segments)
  stored, segments = store(module, {"values": values}, segments, slot, valid)
  return stored["values"], segments, gather(slot, at)


def convolve_long(
  values: Activations,
  filters: Float[Array, "s d"],
  segments: Segments,
  at: Asked | None,
) -> Float[Array, "b a d"]:
  """The causal convolution with a filter as long as the sequence.

  Returns:
    Float[b a d]; NaN where `at` is outside of the row, which is a stream whose
    store is full: that must not pass unseen.
  """
  if at is None:
    return convolve(values, filters, segments)
  if at.shape[1] == 1:
    y = convolve_at(values, filters, segments, at)
  else:
    y = gather(convolve(values, filters, segments), at)
  return jnp.where((at >= values.shape[1])[..., None], jnp.nan, y)


def waves(length: int, horizon: int, bands: int) -> Float[Array, "s features"]:
  """[l, cos 2π f l, −sin 2π f l] of the lag l in horizons (Poli 2023).

  Of the `bands` frequencies f, the first is 1e-4 and the last `bands` − 1: with
  one band the cosine is close to a constant, as in the authors' code. They
  measure the lag in lengths of the sequence. Here it is in horizons, so that
  the filter does not depend on the length, and goes on behind its horizon.
  """
  lag = jnp.arange(length, dtype=jnp.float32)[:, None] / horizon
  angle = 2 * math.pi * lag * jnp.linspace(1e-4, bands - 1, bands)[None, :]
  return jnp.concatenate([lag, jnp.cos(angle), -jnp.sin(angle)], axis=1)


def rates(horizon: int, count: int) -> Float[Array, "count"]:
  """How fast channels forget, a token: the last the fastest (Poli 2023).

  1% is left after 0.3 horizons in the last channel, after 1.5 in the first.
  """
  slow, fast = (math.log(100.0) / (c * horizon) for c in (1.5, 0.3))
  return jnp.linspace(slow, fast, count)


def small(features: int, x: Array, name: str, bias: bool = True) -> Array:
  """A layer of a filter's network: N(0, 0.02) and 0 as in the authors' code."""
  init = nn.initializers.normal(0.02)
  layer = nn.Dense(
    features, use_bias=bias, dtype=x.dtype, kernel_init=init, name=name
  )
  return layer(x)
