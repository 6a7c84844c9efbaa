"""BaseConv: one convolution times one projection (Arora 2023).

Both are those of Zoology's code, whose long convolution adds its own input.
"""

import flax.linen as nn
import jax
from jaxtyping import Array, Float

from research.convolution.base import (
  Filtering,
  convolve_long,
  remember,
  small,
  stretch,
  waves,
  wide,
)
from research.mixer import Source, dense, enter, leave
from research.places import Places, gather
from research.record import check_number
from research.shapes import Activations, Asked, Segments, lacks
from research.short_convolution import short_convolution


class Projected(Filtering):
  """A convolution times a projection, and the input on top. Abstract."""

  @property
  def causal(self) -> bool:
    return True

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
    y = self._convolve(x, places.segments, at, streams)
    own = gather(x, at)
    y = y * dense(x.shape[-1], own, "projection", bias=True) + own
    return leave(y.astype(x.dtype), places, at, gathered=True)

  def _convolve(
    self, x: Activations, segments: Segments, at: Asked | None, streams: bool
  ) -> Float[Array, "b a d"]:
    """The convolution at `at`, in float32."""
    raise NotImplementedError(lacks(self, "_convolve"))


class BaseConv(Projected):
  """The least that a gated convolution needs: a weight a tap.

  Formula: b = (u ∗ h + β_h) ⊙ (W u + β) + u.

  It has d² + d + (kernel + 1) d parameters.
  Cost: O(t · kernel) time; a stream carries d · (kernel − 1) numbers.

  Attributes:
    kernel_size: the number of taps.
  """

  kernel_size: int = 3

  def __post_init__(self) -> None:
    check_number(self, "kernel_size", 1)
    super().__post_init__()

  def state_size(self, width: int, length: int) -> int:
    return width * (self.kernel_size - 1)

  def receptive_field(self, length: int) -> tuple[int, int]:
    return stretch(length, self.kernel_size, 1, False)

  def _convolve(
    self, x: Activations, segments: Segments, at: Asked | None, streams: bool
  ) -> Float[Array, "b a d"]:
    y = short_convolution(self, wide(x), segments, self.kernel_size)
    return gather(y, at)


class LongBaseConv(Projected):
  """BaseConv with a filter as long as the sequence, a function of the lag.

  Formula: b = (u ∗ h + u) ⊙ (W u + β) + u, h_l = MLP(l, cos, sin).

  It has d² + d + 4 hidden + (hidden + 1) d parameters.
  Cost: O(t log t) time, O(t log² t) in batches that hold packed rows; a stream
  carries d · t numbers, and a token takes O(t).

  Attributes:
    horizon: the lag that the filter takes for 1. In the paper it is the length
      of the sequence; here it is fixed, so that the filter does not depend on
      the length.
    hidden: width of the filter's network.
  """

  horizon: int = 64
  hidden: int = 16

  def __post_init__(self) -> None:
    for name in ("horizon", "hidden"):
      check_number(self, name, 1)
    super().__post_init__()

  def state_size(self, width: int, length: int) -> int:
    return width * length

  def receptive_field(self, length: int) -> tuple[int, int]:
    return length - 1, 0

  def _convolve(
    self, x: Activations, segments: Segments, at: Asked | None, streams: bool
  ) -> Float[Array, "b a d"]:
    own, index = gather(x, at), at
    if streams:
      x, segments, index = remember(self, x, segments, at)
    wave = waves(x.shape[1], self.horizon, 1)
    hidden = jax.nn.relu(small(self.hidden, wave, "filter_in"))
    filters = small(x.shape[-1], hidden, "filter_out")
    return convolve_long(wide(x), filters, segments, index) + own
