"""Tokens as a table of embeddings reads them."""

import jax.numpy as jnp
from jaxtyping import Array, Int

from research.places import Places


def readable(
  tokens: Int[Array, "b t"], places: Places, count: int
) -> Int[Array, "b t"]:
  """Tokens as rows of a table of `count`; a row that it lacks reads NaN.

  A token that there is not must not pass unseen, and a negative index would
  count from the end: it becomes `count`. (Of a table of one row Flax reads
  that row.) On padding anything may stand, and row 0 is read.
  """
  tokens = tokens.astype(jnp.promote_types(tokens.dtype, jnp.int32))
  known = (tokens >= 0) & (tokens < count)
  return jnp.where(places.valid, jnp.where(known, tokens, count), 0)
