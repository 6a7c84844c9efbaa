"""What gated convolutions as long as the sequence share: all but the filter."""

import flax.linen as nn
from jaxtyping import Array, Float

from research.convolution.base import (
  Filtering,
  Gate,
  convolve_long,
  gated,
  remember,
)
from research.mixer import Source, dense, enter, leave
from research.places import Places, gather
from research.record import check_choice
from research.shapes import Activations, Asked, lacks


class GatedLong(Filtering):
  """Every channel with its own filter over all lags, times a gate. Abstract.

  Attributes:
    gate: the function of the gate's projection.
  """

  gate: Gate = "silu"

  def __post_init__(self) -> None:
    check_choice(self, "gate", Gate)
    super().__post_init__()

  @property
  def causal(self) -> bool:
    return True

  def state_size(self, width: int, length: int) -> int:
    return width * length

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
    v, segments, index = dense(x.shape[-1], x, "value"), places.segments, at
    if streams:
      v, segments, index = remember(self, v, segments, at)
    y = convolve_long(v, self._filters(*v.shape[1:]), segments, index)
    y = gated(y, gather(x, at), self.gate)
    return leave(y, places, at, gathered=True)

  def _filters(self, length: int, width: int) -> Float[Array, "s d"]:
    """w for the lags below `length`."""
    raise NotImplementedError(lacks(self, "_filters"))
