"""What score functions have in common: queries and keys in, scores out."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from research.shapes import Keys, Queries, SharedKeys, lacks

Scores = Float[Array, "b h t s"]
"""One number per head, query and key, before it is normalised."""


class Score(nn.Module):
  """How well each key fits each query.

  Called by the attention layer in two steps: `prepare` when queries and keys
  are made (keys are stored prepared in a cache), then the score itself, block
  by block with slices. It may own parameters.
  """

  def prepare(self, q: Queries, k: SharedKeys) -> tuple[Queries, SharedKeys]:
    """Queries and keys as they are compared, before positions turn them.

    The two may have different numbers of heads here.
    """
    return q, k

  def __call__(self, q: Queries, k: Keys) -> Scores:
    """Float32 scores of every key for every query."""
    scale = self.scale(q.shape[-1])
    if scale is None:
      raise NotImplementedError(lacks(self, "__call__"))
    return products(q, k) * scale

  def scale(self, key_width: int) -> float | None:
    """What q · k is multiplied by, if the score is this; None if it is not.

    A class that gives a number needs no `__call__`. With one of its own it
    counts as another score, and libraries do not compute it.
    """
    return None

  @property
  def is_product(self) -> bool:
    """Whether the score depends on q · k alone.

    Only then do encodings that turn queries and keys (rotary, xPos) make it
    a function of the difference of positions; with others they are refused.
    """
    return False


def scale_of(score: Score, key_width: int) -> float | None:
  """What q · k is multiplied by, if `score` is this alone; None if not."""
  own = type(score).__call__ is not Score.__call__
  return None if own else score.scale(key_width)


def products(q: Queries, k: Keys) -> Scores:
  """q · k of every query and key, added up in float32."""
  # Heads first: in another order the compiler copies queries or keys.
  q, k = jnp.swapaxes(q, 1, 2), jnp.swapaxes(k, 1, 2)
  return jnp.einsum("bhtk,bhsk->bhts", q, k, preferred_element_type=jnp.float32)
