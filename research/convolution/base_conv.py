"""BaseConv: one convolution times one projection (Arora 2023).

Formula: b = (u ∗ h + β_h) ⊙ (W u + β) + u with a short filter h, and
b = (u ∗ h + u) ⊙ (W u + β) + u with a long one, h_l = MLP(l, cos, sin).
Both are those of Zoology's code, whose long convolution adds its own input.
Cost: O(t · kernel) time, and a stream carries d · (kernel − 1) numbers; with a
long filter O(t log t) time, O(t log² t) in batches that hold packed rows, and a
stream carries d · t numbers.
"""

from typing import Literal

import flax.linen as nn
import jax
from jaxtyping import Array, Float

from research.convolution.base import (
  Filtering,
  convolve_long,
  recent,
  remember,
  small,
  stretch,
  taps,
  waves,
  wide,
)
from research.evaluations.convolution.depthwise import convolve
from research.mixer import Source, dense, enter, leave
from research.places import Places, gather
from research.record import check_choice, check_number
from research.shapes import Activations, Asked, Segments

Filter = Literal["short", "implicit"]


class BaseConv(Filtering):
  """The least that a gated convolution needs.

  It has d² + d parameters, and (kernel + 1) d for a short filter or
  4 hidden + (hidden + 1) d for a long one.

  Attributes:
    filter: "short" for a weight a tap, "implicit" for a function of the lag
      as long as the sequence.
    kernel_size: the number of taps of a short filter.
    horizon: the lag that a long filter takes for 1. In the paper it is the
      length of the sequence; here it is fixed, so that the filter does not
      depend on the length.
    hidden: width of the network of a long filter.
  """

  filter: Filter = "short"
  kernel_size: int = 3
  horizon: int = 64
  hidden: int = 16

  def __post_init__(self) -> None:
    check_choice(self, "filter", Filter)
    for name in ("kernel_size", "horizon", "hidden"):
      check_number(self, name, 1)
    of_the_other = (
      {"kernel_size": 3}
      if self.filter == "implicit"
      else {"horizon": 64, "hidden": 16}
    )
    for name, default in of_the_other.items():
      if getattr(self, name) != default:
        raise ValueError(
          f"{name} = {getattr(self, name)} with filter = {self.filter!r}, "
          f"which has none; allowed: {default}, its default"
        )
    super().__post_init__()

  @property
  def causal(self) -> bool:
    return True

  def state_size(self, width: int, length: int) -> int:
    short = self.filter == "short"
    return width * (self.kernel_size - 1 if short else length)

  def receptive_field(self, length: int) -> tuple[int, int]:
    if self.filter == "implicit":
      return length - 1, 0
    return stretch(length, self.kernel_size, 1, False)

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
    mixed = self._short if self.filter == "short" else self._long
    y = mixed(x, places.segments, at, streams)
    own = gather(x, at)
    y = y * dense(x.shape[-1], own, "projection", bias=True) + own
    return leave(y.astype(x.dtype), places, at, gathered=True)

  def _short(
    self, x: Activations, segments: Segments, at: Asked | None, streams: bool
  ) -> Float[Array, "b a d"]:
    filters, bias = taps(self, self.kernel_size, x.shape[-1])
    index = at
    if streams:
      x, segments, index = recent(self, x, segments, at, self.kernel_size - 1)
    y = gather(convolve(wide(x), filters, segments), index)
    return y + bias[None, None, :]

  def _long(
    self, x: Activations, segments: Segments, at: Asked | None, streams: bool
  ) -> Float[Array, "b a d"]:
    own, index = gather(x, at), at
    if streams:
      x, segments, index = remember(self, x, segments, at)
    wave = waves(x.shape[1], self.horizon, 1)
    hidden = jax.nn.relu(small(self.hidden, wave, "filter_in"))
    filters = small(x.shape[-1], hidden, "filter_out")
    return convolve_long(wide(x), filters, segments, index) + own
