"""ReLU in the place of softmax (Wortsman 2023).

Formula: max(s_j, 0) / n, n the number of allowed keys. Cost: O(s) a query.
"""

import jax

from research.normalizers.base import Rectified, Rows, Weights
from research.scores.base import Scores


class ReLU(Rectified):
  """Weights that may be zero and need not sum to one.

  Wortsman (2023) divides by the length of the sequence, not by the number of
  keys that the query may look at.
  """

  def numerators(self, scores: Scores, rows: Rows) -> Weights:
    return jax.nn.relu(scores)
