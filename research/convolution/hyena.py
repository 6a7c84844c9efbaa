"""Hyena: long implicit convolutions between gates (Poli 2023).

Formula: (x^1 … x^N, v) = shortconv(W u + β); z = x^1 ⊙ v, then for n = 2 … N
z ← x^n ⊙ (h^n ∗ z + D^n ⊙ z); b = W_o z + β_o.
h_l = MLP(l, cos, sin) ⊙ exp(−r l), an MLP of learned sines.
Cost: O(N t log t) time, O(N t log² t) in batches that hold packed rows; a
stream carries (N − 1) d · t + (N + 1) d (kernel − 1) numbers, and a token takes
O(N t).
"""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from research.convolution.base import (
  Filtering,
  Kept,
  convolve_long,
  rates,
  remember,
  small,
  waves,
  wide,
)
from research.mixer import Source, dense, enter, leave
from research.places import Places, gather
from research.record import check_number
from research.shapes import Activations, Asked, Segments
from research.short_convolution import short_convolution


class Hyena(Filtering):
  """Projections that gate one another, with long filters in between.

  With m = (N − 1) d channels of long filters, of which an MLP of width w makes
  all, it has (N + 1) d (d + 1 + kernel + 1) + d (d + 1) parameters outside of
  the filters, and w (2 bands + 2) + layers w (w + 1) + w + w m + m for them.

  Attributes:
    order: N, the number of gates; 2 has one long filter.
    kernel_size: taps of the short filters of all projections.
    horizon: the lag that the filter takes for 1. In the paper it is the length
      of the sequence; here it is fixed, so that the filter does not depend on
      the length.
    bands: pairs of cosines and sines of the lag.
    hidden: w.
    layers: the number of inner layers of the MLP.
  """

  order: int = 2
  kernel_size: int = 3
  horizon: int = 64
  bands: int = 1
  hidden: int = 64
  layers: int = 2

  def __post_init__(self) -> None:
    check_number(self, "order", 2)
    for name in ("kernel_size", "horizon", "bands", "hidden"):
      check_number(self, name, 1)
    check_number(self, "layers", 0)
    super().__post_init__()

  @property
  def causal(self) -> bool:
    return True

  def state_size(self, width: int, length: int) -> int:
    short = (self.order + 1) * (self.kernel_size - 1)
    return width * (short + (self.order - 1) * length)

  def receptive_field(self, length: int) -> tuple[int, int]:
    return length - 1, 0

  @nn.compact
  def __call__(
    self,
    x: Activations,
    places: Places,
    *,
    source: Source | None = None,
    at: Asked | None = None,
    deterministic: bool = True,
  ) -> Float[Array, "b a d"]:
    streams = enter(self, x, places, source)
    width, segments = x.shape[-1], places.segments
    *gates, v = self._projections(x, segments)
    z = v * gates[0]
    for n, gate in enumerate(gates[1:], start=1):
      # Only the last convolution may leave out what nobody asks for.
      asked = at if n + 1 == self.order else None
      kept, own, index = z, segments, asked
      if streams:
        kept, own, index = _Memory(name=f"memory_{n}")(z, segments, asked)
      if n == 1:  # One network makes them all.
        filters = self._filters(kept.shape[1], width)
      z = convolve_long(kept, filters[:, n - 1], own, index)
      z = z * gather(gate, asked)
    y = dense(width, z.astype(x.dtype), "out", bias=True)
    return leave(y, places, at, gathered=True)

  def _projections(
    self, x: Activations, segments: Segments
  ) -> list[Activations]:
    """x^1 … x^N and v, all of them after the short filter, in float32."""
    parts = self.order + 1
    y = wide(dense(parts * x.shape[-1], x, "in", bias=True))
    y = short_convolution(self, y, segments, self.kernel_size)
    return jnp.split(y, parts, axis=-1)

  def _filters(self, length: int, width: int) -> Float[Array, "s n d"]:
    """h of every convolution, with D on the token itself, in float32."""
    count = self.order - 1
    hidden = waves(length, self.horizon, self.bands)
    pitch = self.param("frequency", nn.initializers.ones, (self.hidden,))
    names = ["filter_in", *(f"filter_{n}" for n in range(self.layers))]
    for name in names:
      angle = small(self.hidden, hidden, name)
      hidden = jnp.sin(pitch[None, :] * angle)
    shape = small(count * width, hidden, "filter_out", bias=False)
    rate = rates(self.horizon, count * width)[None, :]
    lag = jnp.arange(length, dtype=jnp.float32)[:, None]
    skip = self.param("skip", nn.initializers.normal(1.0), (count * width,))
    filters = (shape * jnp.exp(-rate * lag)).at[0].add(skip)
    return filters.reshape(length, count, width)


class _Memory(nn.Module):
  """The stream of one convolution."""

  @nn.compact
  def __call__(
    self, z: Activations, segments: Segments, at: Asked | None
  ) -> Kept:
    return remember(self, z, segments, at)
