"""Softmax attention without parameters; the dense form is the reference."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from research.shapes import Keys, Queries, Values


def attend(
  q: Queries,
  k: Keys,
  v: Values,
  allowed: Bool[Array, "b t s"],
  bias: Float[Array, "b h t s"] | None = None,
) -> Float[Array, "b t h v"]:
  """softmax(q·k / √k + bias) v over the allowed keys (Vaswani 2017).

  Dense: O(t s) time and memory. Scores and softmax are float32. A query
  that may look at nobody gets zeros, with finite gradients.
  """
  scores = jnp.einsum(
    "bthk,bshk->bhts", q, k, preferred_element_type=jnp.float32
  )
  scores = scores * q.shape[-1] ** -0.5
  if bias is not None:
    scores = scores + bias.astype(jnp.float32)
  allowed = allowed[:, None, :, :]
  scores = jnp.where(allowed, scores, -jnp.inf)
  top = jnp.max(scores, axis=-1, keepdims=True)
  top = jnp.where(jnp.isfinite(top), top, 0.0)
  weights = jnp.where(allowed, jnp.exp(scores - top), 0.0)
  total = jnp.sum(weights, axis=-1, keepdims=True)
  weights = weights / jnp.where(total > 0, total, 1.0)
  return jnp.einsum("bhts,bshv->bthv", weights.astype(v.dtype), v)
