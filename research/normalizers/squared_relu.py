"""Squared ReLU in the place of softmax (Hua 2022, Wortsman 2023).

Formula: max(s_j, 0)² / n, n the number of allowed keys. Cost: O(s) a query.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from research.normalizers.base import Normalizer, Rows, Weights
from research.scores.base import Scores


class SquaredReLU(Normalizer):
  """Weights that may be zero, grow with the square, and need not sum to one.

  The function is So's (2021, Primer), for feed-forward layers. Hua (2022,
  FLASH) made weights of it, and divided scores by the length before they are
  squared; Wortsman (2023) divided afterwards, as is done here. n counts the
  keys that the query may look at, so that a token reads the same whether its
  successors are there or not, as reading step by step needs.

  Attributes:
    by_length: whether weights are divided by n.
  """

  by_length: bool = True

  def numerators(self, scores: Scores, rows: Rows) -> Weights:
    return jnp.square(jax.nn.relu(scores))

  @property
  def online(self) -> bool:
    return True

  def divisor(self, rows: Rows) -> Float[Array, "b h t 1"]:
    count = jnp.maximum(rows.total, 1.0)
    return count if self.by_length else jnp.ones_like(count)
