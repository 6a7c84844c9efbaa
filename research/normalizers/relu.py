"""ReLU in the place of softmax (Wortsman 2023).

Formula: max(s_j, 0) / n, n the number of allowed keys. Cost: O(s) a query.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from research.normalizers.base import Normalizer, Rows, Weights
from research.scores.base import Scores


class ReLU(Normalizer):
  """Weights that may be zero and need not sum to one.

  Wortsman (2023) divides by the length of the sequence. Here n counts the
  keys that the query may look at, so that a token reads the same whether its
  successors are there or not, as reading step by step needs.

  Attributes:
    by_length: whether weights are divided by n.
  """

  by_length: bool = True

  def numerators(self, scores: Scores, rows: Rows) -> Weights:
    return jax.nn.relu(scores)

  @property
  def online(self) -> bool:
    return True

  def divisor(self, rows: Rows) -> Float[Array, "b h t 1"]:
    count = jnp.maximum(rows.total, 1.0)
    return count if self.by_length else jnp.ones_like(count)
