"""Mamba: a state-space layer that chooses what to keep (Gu and Dao 2023).

Formula: (u, z) = W x; u = silu(conv(u)); (δ, B, C)_t = W_s u_t;
Δ_t = softplus(W_Δ δ_t + β); h_t = exp(Δ_t A) h_{t−1} + Δ_t u_t B_tᵀ, a matrix
of e d × n numbers; y_t = h_t C_t + D u_t; b_t = W_o (y_t ⊙ silu(z_t)).
Cost: O(t e d n) time; a stream carries e d (n + kernel − 1) numbers.
"""

import math
from typing import NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from research.initializers import softplus_steps, uniform
from research.mixer import dense, wide
from research.record import check_number
from research.recurrence.layer import DiagonalRecurrence
from research.shapes import Activations, Segments
from research.short_convolution import short_convolution

_STEPS = (1e-3, 1e-1)
"""Δ at the start of training where W_Δ δ = 0, log-uniform between them."""


class Selection(NamedTuple):
  """What the recurrence is told of a token, in float32.

  Attributes:
    step: Δ [w].
    write: B [n].
    read: C [n].
    value: u [w].
  """

  step: Array
  write: Array
  read: Array
  value: Array


class Mamba(DiagonalRecurrence):
  """A selective state-space layer.

  Parameters, with w = `expand` · d channels, r = `rank`, n = `state`:
  3 w d + w (kernel_size + 1) + w (r + 2 n) + w (r + 1) + w n + w. A begins at
  −(1, …, n) in every channel, D at 1, W_Δ uniform in ± r^−½, softplus(β)
  between 0.001 and 0.1 and uniform in the logarithm, the taps and their bias
  uniform in ± kernel^−½. All parameters get the same weight decay; the authors
  spare A and D.

  Attributes:
    form: how the recurrence is evaluated.
    reverse: from right to left, which is not causal.
    expand: channels of the recurrence for each of the d.
    state: n, the numbers a channel carries.
    kernel_size: taps of the convolution before it.
    rank: r, of the projection to Δ; 0 for d / 16, rounded up.
  """

  expand: int = 2
  state: int = 16
  kernel_size: int = 4
  rank: int = 0

  def __post_init__(self) -> None:
    for name in ("expand", "state", "kernel_size"):
      check_number(self, name, 1)
    check_number(self, "rank", 0)
    super().__post_init__()

  def state_size(self, width: int, length: int) -> int:
    return self.expand * width * (self.state + self.kernel_size - 1)

  def _mix(
    self, x: Activations, segments: Segments, streams: bool
  ) -> Float[Array, "b t w"]:
    width = self.expand * x.shape[-1]
    u = short_convolution(
      self,
      dense(width, x, "value"),
      segments,
      self.kernel_size,
      reverse=self.reverse,
    )
    u = nn.silu(u)
    log_rate = self.param(
      "log_rate",
      lambda key: jnp.tile(
        jnp.log(jnp.arange(1.0, self.state + 1)), (width, 1)
      ),
    )
    skip = self.param("skip", nn.initializers.ones, (width,))
    rate = -jnp.exp(log_rate)

    def make(token: Selection) -> tuple[Array, Array]:
      drive = token.step * token.value
      return (
        jnp.exp(token.step[:, None] * rate),
        drive[:, None] * token.write[None],
      )

    def read(h: Array, token: Selection) -> Array:
      return jnp.einsum("wn,n->w", h, token.read)

    selected = self._select(u, x.shape[-1])
    y = self._outputs(selected, segments, make, read, streams)
    return y + skip[None, None] * u

  def _select(self, u: Float[Array, "b t w"], width: int) -> Selection:
    """Δ, B and C of every token."""
    rank = self.rank or math.ceil(width / 16)
    parts = wide(rank + 2 * self.state, u, "selection")
    low, write, read = jnp.split(parts, [rank, rank + self.state], axis=-1)
    step = wide(
      u.shape[-1],
      low,
      "step",
      bias=True,
      kernel_init=uniform(rank**-0.5),
      bias_init=softplus_steps(*_STEPS),
    )
    return Selection(nn.softplus(step), write, read, u.astype(jnp.float32))

  def _finish(
    self, y: Float[Array, "b a w"], x: Float[Array, "b a d"]
  ) -> Float[Array, "b a d"]:
    gate = nn.silu(dense(y.shape[-1], x, "gate"))
    return dense(x.shape[-1], y * gate, "out")
