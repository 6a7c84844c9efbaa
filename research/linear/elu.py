"""Linear attention with the feature map elu + 1 (Katharopoulos 2020).

Formula: φ(x) = elu(x) + 1; S_t = S_{t−1} + φ(k_t) v_tᵀ; z_t = z_{t−1} + φ(k_t);
b_t = W_o S_tᵀ φ(q_t) / (z_t·φ(q_t) + 1e-6).
Cost: O(t) time; a stream carries d²/h + d numbers, whatever its length.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from research.evaluations.fast_weights.base import State
from research.evaluations.fast_weights.decay import decay
from research.linear.base import join
from research.linear.layer import FastWeights, Read, Tokens
from research.places import Places
from research.shapes import Activations, Segments

EPSILON = 1e-6
"""Added to the normaliser, which is zero on padding."""


class LinearAttention(FastWeights):
  """Attention without a softmax: a recurrence with a matrix as its state.

  Parameters: 4 d² at width d; 3 d taps more with a convolution.

  Attributes:
    bidirectional: every token sees the tokens after it, too.
  """

  bidirectional: bool = False

  @property
  def causal(self) -> bool:
    return not self.bidirectional

  def state_size(self, width: int, length: int) -> int:
    return super().state_size(width, length) + width

  def tokens(self, x: Activations, places: Places) -> Tokens:
    q, k, v = self.project(x, places)
    # What is read from values of one is the normaliser z·φ(q).
    v = jnp.concatenate([v, jnp.ones_like(v[..., :1])], axis=-1)
    return Tokens(jax.nn.elu(q) + 1, jax.nn.elu(k) + 1, v)

  def finish(self, y: Read, v: Read, x: Activations) -> Float[Array, "b a _"]:
    return join(y[..., :-1] / (y[..., -1:] + EPSILON))

  def evaluate(
    self, tokens: Tokens, segments: Segments, state: State | None = None
  ) -> tuple[Float[Array, "b t h v"], State]:
    y, state = super().evaluate(tokens, segments, state)
    if not self.bidirectional:
      return y, state
    q, k, v, segments = (jnp.flip(part, 1) for part in (*tokens[:3], segments))
    how: Any = {"form": self.form, "chunk": self.chunk, "own": False}
    later, _ = decay(q, k, v, None, segments, **how)
    return y + jnp.flip(later, 1), state
