"""Attention with all scores at once: the reference of all other forms."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from research.evaluations.attention.base import GroupValues, Rules, shaped
from research.places import Pairs
from research.shapes import Queries, SharedKeys


def dense(
  q: Queries, k: SharedKeys, v: GroupValues, pairs: Pairs, rules: Rules
) -> tuple[Float[Array, "b t heads v"], Float[Array, "b heads t s"]]:
  """What the queries read, and the weights they read it with.

  O(t s) time and memory. Scores and weights are float32.

  Returns:
    The outputs in the dtype of `v`, and the weights.
  """
  scores, allowed = rules.scores(q, k, pairs)
  weights = rules.normalizer(scores, allowed)
  weights = shaped("normalizer", weights, scores.shape).astype(jnp.float32)
  if rules.weights is not None:
    weights = rules.weights(weights, pairs._replace(allowed=allowed))
  return rules.read(weights, v, pairs).astype(v.dtype), weights
