"""Squared ReLU in the place of softmax (Hua 2022, Wortsman 2023).

Formula: max(s_j, 0)² / n, n the number of allowed keys. Cost: O(s) a query.
"""

import jax
import jax.numpy as jnp

from research.normalizers.base import Rectified, Rows, Weights
from research.scores.base import Scores


class SquaredReLU(Rectified):
  """Weights that may be zero, grow with the square, and need not sum to one.

  The function is So's (2021, Primer), for feed-forward layers. Hua (2022,
  FLASH) made weights of it, and divided scores by the length before they are
  squared; Wortsman (2023) divided afterwards, as is done here.
  """

  def numerators(self, scores: Scores, rows: Rows) -> Weights:
    return jnp.square(jax.nn.relu(scores))
