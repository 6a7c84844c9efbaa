"""1.5-entmax: between softmax and sparsemax (Peters 2019).

Formula: max(s_j / 2 − τ, 0)² over the allowed keys, τ such that they sum to
one. Cost: O(s log s) a query, by sorting.
"""

import jax
import jax.numpy as jnp

from research.normalizers.base import Allowed, Normalizer, Weights, below
from research.scores.base import Scores


class Entmax15(Normalizer):
  """Weights that sum to one and are zero for keys that fit badly.

  They fall to zero smoothly, which those of sparsemax do not.
  """

  def weigh(self, scores: Scores, allowed: Allowed) -> Weights:
    return jnp.square(_roots(below(scores / 2.0, allowed)))


@jax.custom_jvp
def _roots(scores: Scores) -> Weights:
  """Square roots of the weights, of rows whose largest score is 0."""
  # Beside a score of 0, τ is −1 or above: what is clearly below has no weight,
  # and a floor keeps its size, even −∞, out of the sums.
  scores = jnp.maximum(scores, -2.0)
  ordered = -jnp.sort(-scores, axis=-1)
  count = jnp.arange(1, scores.shape[-1] + 1)[None, None, None, :]
  # Beside the j best keys alone the threshold solves a quadratic equation.
  mean = jnp.cumsum(ordered, axis=-1) / count
  variance = jnp.cumsum(jnp.square(ordered), axis=-1) / count - mean**2
  spread = jnp.sqrt(jnp.maximum(1.0 / count - variance, 0.0))
  threshold = mean - spread
  # It is below all of them for those keys only that have a weight, and grows
  # with their number.
  threshold = jnp.where(threshold <= ordered, threshold, -jnp.inf)
  threshold = jnp.max(threshold, axis=-1, keepdims=True)
  # The variance loses digits; one step of Newton's method finds them again.
  roots = jnp.maximum(scores - threshold, 0.0)
  excess = jnp.sum(jnp.square(roots), axis=-1, keepdims=True) - 1.0
  slope = 2.0 * jnp.sum(roots, axis=-1, keepdims=True)
  return jnp.maximum(scores - (threshold + excess / slope), 0.0)


@_roots.defjvp
def _roots_jvp(
  primals: tuple[Scores], tangents: tuple[Scores]
) -> tuple[Weights, Weights]:
  """The tangent less its mean weighted by the roots, where they are not 0."""
  roots = _roots(*primals)
  total = jnp.sum(roots, axis=-1, keepdims=True)
  mean = jnp.sum(roots * tangents[0], axis=-1, keepdims=True) / total
  return roots, jnp.where(roots > 0, tangents[0] - mean, 0.0)
