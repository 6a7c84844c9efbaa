"""Plain convolution, dense or in groups, causal or centred, dilated.

Formula: b_t = y_t = β + Σ_i x_{t + ahead − i dilation} W_i, i < kernel; with a
gate b_t = W_o (gate(W_g x_t + β_g) ⊙ y_t) (after Dauphin 2017).
Cost: O(t · kernel · d² / groups) time; a stream carries
d · (kernel − 1) · dilation numbers.
"""

from typing import Literal

import flax.linen as nn
from jaxtyping import Array, Float

from research.convolution.base import (
  Filtering,
  check_centred,
  gated,
  recent,
  stretch,
)
from research.evaluations.convolution.dense import mix
from research.mixer import Source, enter, leave
from research.places import Places, gather
from research.record import check_choice, check_number
from research.shapes import Activations, Asked

Gate = Literal["none", "linear", "silu"]


class Convolution(Filtering):
  """Every channel with its own taps on all channels of its group.

  It has kernel · d² / groups + d parameters, and a gate 2 d² + d more.

  Attributes:
    kernel_size: the number of taps.
    dilation: tokens from one tap to the next.
    groups: of channels that see each other; divides the width. 1 is dense, as
      many as the width is depthwise.
    centred: taps on both sides, and not on earlier tokens alone.
    gate: the function of the gate's projection; "none" has neither a gate nor
      the layer behind it.
  """

  kernel_size: int = 3
  dilation: int = 1
  groups: int = 1
  centred: bool = False
  gate: Gate = "none"

  def __post_init__(self) -> None:
    for name in ("kernel_size", "dilation", "groups"):
      check_number(self, name, 1)
    check_centred(self.kernel_size, self.centred)
    check_choice(self, "gate", Gate)
    super().__post_init__()

  @property
  def causal(self) -> bool:
    return not self.centred or self.kernel_size == 1

  def state_size(self, width: int, length: int) -> int:
    return width * (self.kernel_size - 1) * self.dilation

  def receptive_field(self, length: int) -> tuple[int, int]:
    return stretch(length, self.kernel_size, self.dilation, self.centred)

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
    filters, bias = self._filter(x.shape[-1])
    v, segments, index = x, places.segments, at
    reach = (self.kernel_size - 1) * self.dilation
    if streams:
      v, segments, index = recent(self, v, segments, at, reach)
    ahead = reach // 2 if self.centred else 0
    y = mix(v, filters, segments, ahead=ahead, dilation=self.dilation)
    y = gather(y, index) + bias.astype(x.dtype)[None, None, :]
    if self.gate != "none":
      y = gated(y, gather(x, at), self.gate)
    return leave(y, places, at, gathered=True)

  def _filter(self, width: int) -> tuple[Array, Array]:
    """W [taps d/groups d], scaled by its inputs, and β."""
    if width % self.groups:
      raise ValueError(
        f"groups = {self.groups} does not divide width {width}; allowed: a "
        "divisor of the width"
      )
    shape = (self.kernel_size, width // self.groups, width)
    filters = self.param("filter", nn.initializers.lecun_normal(), shape)
    return filters, self.param("bias", nn.initializers.zeros_init(), (width,))
