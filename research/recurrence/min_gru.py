"""The minimal GRU: gates that look at the input alone (Feng 2024).

Formula: h_t = (1 − z_t) ⊙ h_{t−1} + z_t ⊙ h̃_t, z_t = σ(W_z x_t + b_z),
h̃_t = W_h x_t + b_h, or g(W_h x_t + b_h) with g(v) = v + ½ for v ≥ 0 and σ(v)
below. Cost: O(t d n) time; a stream carries n numbers.
"""

from typing import Literal

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from research.mixer import dense, wide
from research.record import check_choice, check_number
from research.recurrence.layer import DiagonalRecurrence
from research.shapes import Activations, Segments

Candidate = Literal["linear", "positive"]


class MinGRU(DiagonalRecurrence):
  """The minimal gated recurrent unit with n = `hidden` units.

  Parameters: 2 n (d + 1) at width d; n d more for the projection back to the
  width, which there is only where n ≠ d. The state is zero at the start.

  Attributes:
    form: how it is evaluated.
    reverse: from right to left, which is not causal.
    hidden: n; 0 for as many as the width.
    candidate: h̃ is "linear", or "positive" by g, as in the authors' version
      with logarithms. Here decays are multiplied, which needs none.
  """

  hidden: int = 0
  candidate: Candidate = "linear"

  def __post_init__(self) -> None:
    check_number(self, "hidden", 0)
    check_choice(self, "candidate", Candidate)
    super().__post_init__()

  def state_size(self, width: int, length: int) -> int:
    return self.hidden or width

  def _mix(
    self, x: Activations, segments: Segments, streams: bool
  ) -> Float[Array, "b t n"]:
    hidden = self.hidden or x.shape[-1]
    gate = wide(hidden, x, "gate", bias=True)
    new = wide(hidden, x, "candidate", bias=True)
    if self.candidate == "positive":
      new = jnp.where(new >= 0, new + 0.5, nn.sigmoid(new))
    # σ(−v) is 1 − σ(v) with all its digits.
    keep, write = nn.sigmoid(-gate), nn.sigmoid(gate)
    return self._states(keep, write * new, segments, streams)

  def _finish(
    self, y: Float[Array, "b a n"], x: Float[Array, "b a d"]
  ) -> Float[Array, "b a d"]:
    if y.shape[-1] == x.shape[-1]:
      return y
    return dense(x.shape[-1], y, "out")
