"""Gated short convolution (BaseConv, Arora 2023; H3's shift, Fu 2023).

Formula: b_t = W_o (gate(W_g x_t + β) ⊙ Σ_i w_i ⊙ W_v x_{t−i}), i < kernel.
Cost: O(t · kernel) time; a stream carries d · (kernel − 1) numbers.
"""

import flax.linen as nn
from jaxtyping import Array, Float

from research.convolution.base import (
  Filtering,
  Gate,
  check_centred,
  gated,
  recent,
  stretch,
)
from research.evaluations.convolution.depthwise import convolve
from research.mixer import Source, dense, enter, leave
from research.places import Places, gather
from research.record import check_choice, check_number
from research.shapes import Activations, Asked


class ShortConvolution(Filtering):
  """Every channel with its own few taps, times a gate of the token itself.

  Attributes:
    kernel_size: the number of taps.
    centred: taps on both sides, and not on earlier tokens alone.
    gate: the function of the gate's projection.
  """

  kernel_size: int = 3
  centred: bool = False
  gate: Gate = "silu"

  def __post_init__(self) -> None:
    check_number(self, "kernel_size", 1)
    check_centred(self.kernel_size, self.centred)
    check_choice(self, "gate", Gate)
    super().__post_init__()

  @property
  def causal(self) -> bool:
    return not self.centred or self.kernel_size == 1

  def state_size(self, width: int, length: int) -> int:
    return width * (self.kernel_size - 1)

  def receptive_field(self, length: int) -> tuple[int, int]:
    return stretch(length, self.kernel_size, 1, self.centred)

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
    width, taps = x.shape[-1], self.kernel_size
    filters = self.param(
      "filter", nn.initializers.lecun_normal(), (taps, width)
    )
    v, segments, index = dense(width, x, "value"), places.segments, at
    if streams:
      v, segments, index = recent(self, v, segments, at, taps - 1)
    ahead = taps // 2 if self.centred else 0
    y = gather(convolve(v, filters, segments, ahead=ahead), index)
    y = gated(y, gather(x, at), self.gate)
    return leave(y, places, at, gathered=True)
