"""Mamba-2, or state space duality: a decay a head from a step (Dao, Gu 2024).

Formula: S_t = exp(−A_h Δ_t) S_{t−1} + Δ_t B_t x_tᵀ, y_t = S_tᵀ C_t + D_h x_t,
Δ_t = softplus(W_Δ u_t + b) a head; x, B and C are silu(conv(W u)), and B and C,
the keys and queries of n numbers, are the same for all heads;
b_t = W_o norm(y_t ⊙ silu(W_z u_t)), with the root-mean-square norm of all
heads together. Cost: O(t) time; a stream carries e d n numbers, and e d + 2 n
for each tap but one.
"""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from research.linear.base import (
  expand,
  gated,
  join,
  rms_norm,
  split,
  step_and_decay,
)
from research.linear.layer import FastWeights, Read, Tokens
from research.places import Places
from research.positions.base import check_positive
from research.record import check_number
from research.shapes import Activations


class Mamba2(FastWeights):
  """Mamba-2.

  At the start A is uniform in (1, 16], Δ log-uniform in [0.001, 0.1] and D 1.

  Parameters: 3 e d² + 2 n d + h (d + 3) + e d at width d, e = `expand`,
  n = `state` and h heads; (e d + 2 n) (taps + 1) more with a convolution.

  Attributes:
    state: numbers in a key, n.
    expand: the width of all values is this times the width.
  """

  convolution: int = 4
  state: int = 64
  expand: float = 2.0

  activated = True
  biased = True

  def __post_init__(self) -> None:
    check_number(self, "state", 1)
    check_positive(self, "expand")
    super().__post_init__()

  def widths(self, width: int) -> tuple[int, int]:
    return self.heads * self.state, expand(self, "expand", width)

  def state_size(self, width: int, length: int) -> int:
    _, value = self.widths(width)
    return self.state * value + self.history_size(value + 2 * self.state)

  def tokens(self, x: Activations, places: Places) -> Tokens:
    _, value = self.widths(x.shape[-1])
    sizes = {"value": value, "key": self.state, "query": self.state}
    v, k, q = self.features(x, places, sizes)
    step, fade = step_and_decay(self, x, self.heads, 1.0, 16.0)
    k = step[..., None] * k[:, :, None, :]
    q = jnp.broadcast_to(q[:, :, None, :], k.shape)
    return Tokens(q, k, split(v, self.heads), fade)

  def finish(self, y: Read, v: Read, x: Activations) -> Float[Array, "b a _"]:
    skip = self.param("D", nn.initializers.ones, (self.heads,))
    y = y + skip[None, None, :, None] * v
    return rms_norm(gated(join(y), x))
