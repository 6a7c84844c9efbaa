"""Softmax beside a sink: a query may look at nothing.

Formula: exp(s_j) / (exp(z) + Σ_i exp(s_i)) over the allowed keys, z the score
of the sink. Cost: O(s) a query; h parameters if learned.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from research.normalizers.base import Allowed, Exponential, Rows, largest
from research.scores.base import Scores


class SoftmaxSink(Exponential):
  """Positive weights that sum to less than one; the sink takes the rest.

  The sink has no value, so what it takes is read from nobody. Its score is
  compared with those of the keys as they are after temperature and cap.

  Attributes:
    learned: one learned score z a head, 0 at the start (OpenAI 2025, gpt-oss;
      sinks as such: Xiao 2023). If not, z is 0 and stays there: the
      "softmax off by one" (Miller 2023).
  """

  learned: bool = True

  def top(self, scores: Scores, allowed: Allowed) -> Float[Array, "b h t 1"]:
    sink = jax.lax.stop_gradient(self._sink(scores.shape[1]))
    return jnp.maximum(largest(scores, allowed), sink)

  def divisor(self, rows: Rows) -> Float[Array, "b h t 1"]:
    sink = self._sink(rows.top.shape[1])
    # In a block that nobody looks at, no score was compared with the sink.
    top = jnp.maximum(rows.top, jax.lax.stop_gradient(sink))
    return rows.total + jnp.exp(sink - top)

  def _sink(self, heads: int) -> Float[Array, "1 #h 1 1"]:
    if not self.learned:
      return jnp.zeros((1, 1, 1, 1))
    return self._learned(heads)[None, :, None, None]

  @nn.compact
  def _learned(self, heads: int) -> Float[Array, "h"]:
    return self.param("sink", nn.initializers.zeros, (heads,))
