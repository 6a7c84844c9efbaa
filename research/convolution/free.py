"""Gated long convolution with a free filter: one weight for every lag.

Formula: b_t = W_o (gate(W_g x_t + β) ⊙ Σ_{i≤t} w_i ⊙ W_v x_{t−i}), i < length.
Cost: O(t log t) time, O(t log² t) in batches that hold packed rows; d · length
parameters; a stream carries d · t numbers, and a token takes O(t).
"""

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
from research.record import check_choice, check_number
from research.shapes import Activations, Asked


class FreeConvolution(Filtering):
  """Every channel with its own filter of a fixed length, times a gate.

  It knows no lag beyond its length, and refuses longer sequences.
  It has 3 d² + d + length · d parameters.

  Attributes:
    length: of the filter, and of the longest sequence.
    gate: the function of the gate's projection.
  """

  length: int = 64
  gate: Gate = "silu"

  def __post_init__(self) -> None:
    check_number(self, "length", 1)
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
    if v.shape[1] > self.length:
      raise ValueError(
        f"length = {self.length}, and the sequence has {v.shape[1]} tokens; "
        f"allowed: up to {self.length} tokens, as the filter has no more taps"
      )
    # The sum of all taps keeps the size of what it sums.
    shape = (self.length, x.shape[-1])
    filters = self.param("filter", nn.initializers.lecun_normal(), shape)
    y = convolve_long(v, filters[: v.shape[1]], segments, index)
    y = gated(y, gather(x, at), self.gate)
    return leave(y, places, at, gathered=True)
