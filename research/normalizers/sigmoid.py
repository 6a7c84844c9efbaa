"""Sigmoid in the place of softmax (Ramapuram 2024).

Formula: 1 / (1 + exp(−s_j − b)), b = −log n. Cost: O(s) a query.
"""

import math

import jax
import jax.numpy as jnp

from research.normalizers.base import Normalizer, Rows, Weights
from research.scores.base import Scores


class Sigmoid(Normalizer):
  """Weights between 0 and 1, each on its own, that need not sum to one.

  The bias b keeps the sum of a row near one as long as scores are small:
  n · sigmoid(−log n) = n / (n + 1).

  Attributes:
    length: n, the length of the sequence, as in the paper: one bias for all
      queries. 0 counts, for each query, the keys that it may look at, so that
      early queries of a causal mask begin near one too.
  """

  length: int = 0

  def __post_init__(self) -> None:
    if self.length < 0:
      raise ValueError(
        f"length = {self.length}; allowed: 0 (the number of allowed keys) or "
        "above"
      )
    super().__post_init__()

  def numerators(self, scores: Scores, rows: Rows) -> Weights:
    if self.length:
      return jax.nn.sigmoid(scores - math.log(self.length))
    return jax.nn.sigmoid(scores - jnp.log(jnp.maximum(rows.total, 1.0)))

  @property
  def online(self) -> bool:
    return self.length > 0
