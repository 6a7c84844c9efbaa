"""DeltaNet: a new value takes the place of the old one (Schlag 2021).

Formula: S_t = (I − β_t k_t k_tᵀ) S_{t−1} + β_t k_t v_tᵀ;
b_t = W_o norm(S_tᵀ q_t), with the root-mean-square norm of each head. q, k and
v are silu(conv(W x)), q and k made vectors of length 1, and β_t = σ(W_β x_t) a
head (Yang 2024), or twice that, for eigenvalues of both signs (Grazzi 2024).
Cost: O(t) time; a stream carries k v numbers a head, and 3 d for each tap but
one.
"""

from jaxtyping import Array, Float

from research.linear.base import join, rms_norm, strengths, unit
from research.linear.layer import FastWeights, Read, Tokens
from research.places import Places
from research.shapes import Activations


class DeltaNet(FastWeights):
  """Fast weights by the delta rule.

  Parameters: 4 d² + d h + d / h at width d and h heads; 3 d taps more with a
  convolution.

  Attributes:
    negative_eigenvalues: β goes up to 2: a token can turn the sign of what a
      key reads, which counting modulo 2 needs.
  """

  convolution: int = 4
  negative_eigenvalues: bool = False

  activated = True

  def tokens(self, x: Activations, places: Places) -> Tokens:
    q, k, v = self.project(x, places)
    beta = strengths(x, self.heads, self.negative_eigenvalues)
    return Tokens(unit(q), unit(k), v, beta=beta)

  def finish(self, y: Read, v: Read, x: Activations) -> Float[Array, "b a _"]:
    return join(rms_norm(y))
