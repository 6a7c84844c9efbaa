"""Gated long convolution with a free filter: one weight for every lag.

Formula: b_t = W_o (gate(W_g x_t + β) ⊙ Σ_{i≤t} w_i ⊙ W_v x_{t−i}), i < length.
Cost: O(t log t) time, O(t log² t) in batches that hold packed rows; d · length
parameters; a stream carries d · t numbers, and a token takes O(t).
"""

import flax.linen as nn
from jaxtyping import Array, Float

from research.convolution.layer import GatedLong
from research.record import check_number


class FreeConvolution(GatedLong):
  """Every channel with its own filter of a fixed length, times a gate.

  It knows no lag beyond its length, and refuses longer sequences.
  It has 3 d² + d + length · d parameters.

  Attributes:
    gate: the function of the gate's projection.
    length: of the filter, and of the longest sequence.
  """

  length: int = 64

  def __post_init__(self) -> None:
    check_number(self, "length", 1)
    super().__post_init__()

  def _filters(self, length: int, width: int) -> Float[Array, "s d"]:
    if length > self.length:
      raise ValueError(
        f"length = {self.length}, and the sequence has {length} tokens; "
        f"allowed: up to {self.length} tokens, as the filter has no more taps"
      )
    # The sum of all taps keeps the size of what it sums.
    init = nn.initializers.lecun_normal()
    return self.param("filter", init, (self.length, width))[:length]
