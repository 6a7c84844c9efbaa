"""Gated linear attention: every channel of a key fades by a gate (Yang 2023).

Formula: S_t = diag(a_t) S_{t−1} + k_t v_tᵀ, log a_t = log σ(W₂ W₁ x_t + b) / τ;
b_t = W_o (silu(W_g x_t) ⊙ norm(S_tᵀ q_t / √k)), with the root-mean-square norm
of each head. Cost: O(t) time; a stream carries k v numbers a head, and the
widths of q, k and v for each tap but one.
"""

import jax
from jaxtyping import Array, Float

from research.linear.base import expand, gated, join, rms_norm, split
from research.linear.layer import FastWeights, Read, Tokens
from research.mixer import wide
from research.places import Places
from research.positions.base import check_positive
from research.record import check_number
from research.shapes import Activations


class GatedLinearAttention(FastWeights):
  """Gated linear attention.

  All projections start as lecun_normal, where the authors' code has Xavier's
  numbers with a gain of 2^−2.5.

  Parameters: (2 e_k + 3 e_v) d² + r (d + e_k d) + e_k d + e_v d / h at width
  d and h heads, e = `expand_k` and `expand_v`, r = `rank`; (2 e_k + e_v) d
  taps more with a convolution.

  Attributes:
    expand_k: the width of all keys is this times the width.
    expand_v: the width of all values likewise.
    rank: of the map that makes the decays.
    temperature: τ; the larger, the longer everything is kept.
  """

  expand_k: float = 0.5
  expand_v: float = 1.0
  rank: int = 16
  temperature: float = 16.0

  def __post_init__(self) -> None:
    check_positive(self, "expand_k", "expand_v", "temperature")
    check_number(self, "rank", 1)
    super().__post_init__()

  def widths(self, width: int) -> tuple[int, int]:
    return expand(self, "expand_k", width), expand(self, "expand_v", width)

  def tokens(self, x: Activations, places: Places) -> Tokens:
    q, k, v = self.project(x, places)
    low = wide(self.rank, x, "decay_in")
    gate = wide(self.heads * k.shape[-1], low, "decay_out", bias=True)
    fade = jax.nn.log_sigmoid(gate) / self.temperature
    return Tokens(q * k.shape[-1] ** -0.5, k, v, split(fade, self.heads))

  def finish(self, y: Read, v: Read, x: Activations) -> Float[Array, "b a _"]:
    return gated(join(rms_norm(y)), x)
