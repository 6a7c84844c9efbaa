"""Sparsemax: the scores' nearest point among probabilities (Martins 2016).

Formula: max(s_j − τ, 0) over the allowed keys, τ such that they sum to one
(Martins & Astudillo 2016). Cost: O(s log s) a query, by sorting.
"""

import jax
import jax.numpy as jnp

from research.normalizers.base import Allowed, Normalizer, Weights, below
from research.scores.base import Scores


class Sparsemax(Normalizer):
  """Weights that sum to one and are zero for keys that fit badly."""

  def weigh(self, scores: Scores, allowed: Allowed) -> Weights:
    return _project(below(scores, allowed))


@jax.custom_jvp
def _project(scores: Scores) -> Weights:
  """Sparsemax of rows whose largest score is 0."""
  # Beside a score of 0, τ is −1 or above: what is below has no weight, and a
  # floor keeps its size, even −∞, out of the sums.
  scores = jnp.maximum(scores, -1.0)
  ordered = -jnp.sort(-scores, axis=-1)
  count = jnp.arange(1, scores.shape[-1] + 1)[None, None, None, :]
  # Beside the j best keys alone the threshold would be the j-th of these. It
  # grows as long as the next key lies above it, so the largest is the one.
  threshold = (jnp.cumsum(ordered, axis=-1) - 1.0) / count
  threshold = jnp.max(threshold, axis=-1, keepdims=True)
  return jnp.maximum(scores - threshold, 0.0)


@_project.defjvp
def _project_jvp(
  primals: tuple[Scores], tangents: tuple[Scores]
) -> tuple[Weights, Weights]:
  """The tangent less its mean, among the keys that have a weight."""
  weights = _project(*primals)
  support = weights > 0
  tangent = jnp.where(support, tangents[0], 0.0)
  count = jnp.sum(support, axis=-1, keepdims=True)
  mean = jnp.sum(tangent, axis=-1, keepdims=True) / count
  return weights, jnp.where(support, tangent - mean, 0.0)
