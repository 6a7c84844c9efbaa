"""Which tokens may be drawn: filters of logits, pure functions.

A token that may not has the logit −∞. Tokens as likely as the last one that
may be drawn may be drawn as well.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def most_likely(logits: Float[Array, "b c"], count: int) -> Float[Array, "b c"]:
  """The `count` most likely tokens alone (top-k; Fan 2018).

  Cost: O(c log k).
  """
  least = jax.lax.top_k(logits, count)[0][:, -1:]
  return jnp.where(logits < least, -jnp.inf, logits)


def nucleus(logits: Float[Array, "b c"], share: float) -> Float[Array, "b c"]:
  """The fewest tokens whose probabilities add up to `share` or more.

  At least one (top-p; Holtzman 2020). Cost: O(c log c).
  """
  ordered = -jnp.sort(-logits, axis=-1)
  p = jax.nn.softmax(ordered, axis=-1)
  before = jnp.cumsum(p, axis=-1) - p  # of all that are likelier
  inside = jnp.where(before < share, ordered, jnp.inf)
  least = jnp.min(inside, axis=-1, keepdims=True)
  least = jnp.minimum(least, ordered[:, :1])  # a share may be rounded to 0
  return jnp.where(logits < least, -jnp.inf, logits)
