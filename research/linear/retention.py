"""Retention: linear attention whose heads forget at fixed rates (Sun 2023).

Formula: S_t = a_h S_{t−1} + k_t v_tᵀ / √k with a_h = 1 − 2^(−5−h) for the head
h = 0, 1, …; b_t = W_o (silu(W_g x_t) ⊙ norm(S_tᵀ q_t)). Queries and keys turn
with their positions (rotary, Su 2021), so that a product depends on their
difference. The norm is that of each head, mean 0 and variance 1. Cost: O(t)
time; a stream carries k v numbers a head, and the widths of q, k and v for each
tap but one.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from research.linear.base import centred_norm, expand, gated, join
from research.linear.layer import FastWeights, Read, Tokens
from research.places import Places
from research.positions.base import check_positive
from research.positions.rotary import Rotary
from research.shapes import Activations


class Retention(FastWeights):
  """Multi-scale retention.

  The paper's scores are divided by their sums so that 16 bits hold them; the
  norm takes any such factor out again, and sums are float32 here. All
  projections start as lecun_normal, where the authors' code has Xavier's
  numbers with a gain of 2^−2.5.

  Parameters: (2 + 3 e) d² at width d, e = `expand_v`; (2 + e) d taps more
  with a convolution.

  Attributes:
    expand_v: the width of all values is this times the width.
    base: of the rotary positions.
  """

  expand_v: float = 2.0
  base: float = 10_000.0

  def __post_init__(self) -> None:
    check_positive(self, "expand_v", "base")
    super().__post_init__()

  def widths(self, width: int) -> tuple[int, int]:
    return width, expand(self, "expand_v", width)

  def tokens(self, x: Activations, places: Places) -> Tokens:
    q, k, v = self.project(x, places)
    rotary = Rotary(base=self.base, parent=None)
    rotary.check(k.shape[-1])
    q, k = rotary.rotate(q, k, places.positions, places.positions)
    rates = np.log1p(-(2.0 ** (-5.0 - np.arange(self.heads))))
    fade = jnp.broadcast_to(jnp.asarray(rates, jnp.float32), k.shape[:3])
    return Tokens(q, k * k.shape[-1] ** -0.5, v, fade)

  def finish(self, y: Read, v: Read, x: Activations) -> Float[Array, "b a _"]:
    return gated(join(centred_norm(y)), x)
