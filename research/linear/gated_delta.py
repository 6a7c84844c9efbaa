"""Gated DeltaNet: the delta rule on a memory that fades (Yang 2025).

Formula: S_t = a_t (I − β_t k_t k_tᵀ) S_{t−1} + β_t k_t v_tᵀ,
log a_t = −A_h softplus(W_a x_t + b) a head;
b_t = W_o (silu(W_g x_t) ⊙ norm(S_tᵀ q_t)), with the root-mean-square norm of
each head. q, k and v are silu(conv(W x)), q and k made vectors of length 1,
and β_t = σ(W_β x_t) a head. Cost: O(t) time; a stream carries k v numbers a
head, and the widths of q, k and v for each tap but one.
"""

from jaxtyping import Array, Float

from research.linear.base import (
  expand,
  gated,
  join,
  rms_norm,
  step_and_decay,
  strengths,
  unit,
)
from research.linear.layer import FastWeights, Read, Tokens
from research.places import Places
from research.positions.base import check_positive
from research.shapes import Activations


class GatedDeltaNet(FastWeights):
  """The gated delta rule. The paper's large models have 0.75 and 1.5.

  At the start A is uniform in (0, 16], and the softplus log-uniform in
  [0.001, 0.1] where W_a x = 0.

  Parameters: (2 e_k + 3 e_v) d² + 2 h (d + 1) + e_v d / h at width d and h
  heads, e = `expand_k` and `expand_v`; (2 e_k + e_v) d taps more with a
  convolution.

  Attributes:
    expand_k: the width of all keys is this times the width.
    expand_v: the width of all values likewise.
    negative_eigenvalues: β goes up to 2 (Grazzi 2024).
  """

  convolution: int = 4
  expand_k: float = 1.0
  expand_v: float = 2.0
  negative_eigenvalues: bool = False

  activated = True

  def __post_init__(self) -> None:
    check_positive(self, "expand_k", "expand_v")
    super().__post_init__()

  def widths(self, width: int) -> tuple[int, int]:
    return expand(self, "expand_k", width), expand(self, "expand_v", width)

  def tokens(self, x: Activations, places: Places) -> Tokens:
    q, k, v = self.project(x, places)
    _, fade = step_and_decay(self, x, self.heads, 0.0, 16.0)
    beta = strengths(x, self.heads, self.negative_eigenvalues)
    return Tokens(unit(q), unit(k), v, fade, beta)

  def finish(self, y: Read, v: Read, x: Activations) -> Float[Array, "b a _"]:
    return gated(join(rms_norm(y)), x)
