"""What normalisers have in common: scores in, weights out."""

import math
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from research.scores.base import Scores
from research.shapes import lacks

Weights = Float[Array, "b h t s"]
"""How much of each value a query takes; zero where it may not look."""

NOBODY = -1e30
"""Below every score, and finite: differences of two of it are 0."""

Allowed = Bool[Array, "#b #h t s"]
"""True where a query may look at a key."""


class Rows(NamedTuple):
  """What a query has to know of its whole row of scores to weigh one key.

  Attributes:
    top: what scores are compared with, so that none of them overflows; 0 for
      normalisers that compare them with nothing.
    total: a sum over the allowed keys, of what the normaliser says.
  """

  top: Float[Array, "b h t 1"]
  total: Float[Array, "b h t 1"]


class Normalizer(nn.Module):
  """Makes weights of scores.

  A subclass says how in one of two ways. Where a weight follows from its own
  score and from two numbers of the row, it gives `numerators` / `divisor`
  (and `top` and `total`, where they are not the ones below): blocks of keys
  can then be weighed apart. Where it takes the whole row, such as sorting
  does, it overrides `weigh`.

  Attributes:
    temperature: scores are divided by it; above 1 flattens the weights.
    cap: scores are then bent smoothly into (−cap, cap) by
      cap · tanh(score / cap) (Gemma 2, Riviere 2024); 0 leaves them.
  """

  temperature: float = 1.0
  cap: float = 0.0

  def __post_init__(self) -> None:
    if not 0 < self.temperature < math.inf:
      raise ValueError(
        f"temperature = {self.temperature}; allowed: finite, above 0"
      )
    if not 0 <= self.cap < math.inf:
      raise ValueError(
        f"cap = {self.cap}; allowed: 0 (none), or finite and above"
      )
    super().__post_init__()

  def __call__(self, scores: Scores, allowed: Allowed) -> Weights:
    """Float32 weights, exactly zero where not `allowed`.

    A query that may look at nobody gets zeros, with finite gradients.
    """
    scores = self.bend(scores, allowed)
    return jnp.where(allowed, self.weigh(scores, allowed), 0.0)

  def bend(self, scores: Scores, allowed: Allowed) -> Scores:
    """Scores after temperature and cap, 0 where not `allowed`."""
    # Zeros first: what is masked must not put NaN into the gradients.
    if self.temperature != 1.0:
      scores = scores / self.temperature
    scores = jnp.where(allowed, scores, 0.0)
    return self.cap * jnp.tanh(scores / self.cap) if self.cap else scores

  def weigh(self, scores: Scores, allowed: Allowed) -> Weights:
    """Weights of bent scores; what is not allowed is dropped afterwards.

    Args:
      scores: Float32[b h t s], 0 where not allowed.
      allowed: Bool[b 1 t s], or [b h t s].
    """
    top = self.top(scores, allowed)
    return self.share(
      scores, allowed, Rows(top, self.total(scores, allowed, top))
    )

  def share(self, scores: Scores, allowed: Allowed, rows: Rows) -> Weights:
    """Weights of a block of bent scores, 0 where not `allowed`.

    Args:
      scores: Float32[b h t s], 0 where not allowed.
      allowed: Bool[b 1 t s], or [b h t s].
      rows: of the whole rows, beyond the block.
    """
    # Zeros before dividing: a numerator that is not wanted may be infinite.
    return self.above(scores, allowed, rows) / nonzero(self.divisor(rows))

  def top(self, scores: Scores, allowed: Allowed) -> Float[Array, "b h t 1"]:
    """What scores are compared with; of two blocks, the larger one counts.

    Numerators and totals have to shrink by exp(−δ) if it grows by δ.
    """
    return jnp.zeros(scores.shape[:3] + (1,), jnp.float32)

  def total(
    self, scores: Scores, allowed: Allowed, top: Float[Array, "b h t 1"]
  ) -> Float[Array, "b h t 1"]:
    """A sum over keys that blocks of keys add up: here, the allowed ones."""
    count = jnp.sum(allowed, axis=-1, keepdims=True, dtype=jnp.float32)
    return jnp.broadcast_to(count, top.shape)

  def above(self, scores: Scores, allowed: Allowed, rows: Rows) -> Weights:
    """Numerators, 0 where not `allowed`."""
    # What is forbidden is like the largest score, 0 in a row of nobody, whose
    # numerator is finite: of an infinite one 0 · ∞ would reach what a subclass
    # has learned.
    top = jnp.where(rows.top == NOBODY, 0.0, rows.top)
    scores = jnp.where(allowed, scores, top)
    weights = self.numerators(scores, rows._replace(top=top))
    return jnp.where(allowed, weights, 0.0)

  def numerators(self, scores: Scores, rows: Rows) -> Weights:
    """What stands for each key above the line."""
    raise NotImplementedError(lacks(self, "numerators"))

  def divisor(self, rows: Rows) -> Float[Array, "b h t 1"]:
    """What stands for the whole row below it; 0 counts as 1."""
    return jnp.ones_like(rows.total)

  @property
  def blockable(self) -> bool:
    """Whether blocks of keys can be weighed apart and put together."""
    kind = type(self)
    whole = kind.__call__ is Normalizer.__call__
    return whole and kind.weigh is Normalizer.weigh

  @property
  def online(self) -> bool:
    """Whether numerators need no total, so that one pass is enough.

    Not for a subclass whose `share` is not a numerator by the divisor.
    """
    return False


class Exponential(Normalizer):
  """Weights in proportion to exp(score); a subclass gives `divisor`."""

  def top(self, scores: Scores, allowed: Allowed) -> Float[Array, "b h t 1"]:
    return largest(scores, allowed)

  def total(
    self, scores: Scores, allowed: Allowed, top: Float[Array, "b h t 1"]
  ) -> Float[Array, "b h t 1"]:
    """Σ exp(s_j − top) over the allowed keys."""
    return jnp.sum(_powers(scores, allowed, top), axis=-1, keepdims=True)

  def numerators(self, scores: Scores, rows: Rows) -> Weights:
    return jnp.exp(scores - rows.top)

  def above(self, scores: Scores, allowed: Allowed, rows: Rows) -> Weights:
    if type(self).numerators is not Exponential.numerators:
      return super().above(scores, allowed, rows)
    return _powers(scores, allowed, rows.top)

  @property
  def online(self) -> bool:
    return type(self).share is Normalizer.share


class Rectified(Normalizer):
  """Weights of single scores; a subclass gives `numerators`.

  n counts the keys that the query may look at, so that a token reads the same
  whether its successors are there or not, as reading step by step needs.

  Attributes:
    by_length: whether weights are divided by n.
  """

  by_length: bool = True

  def divisor(self, rows: Rows) -> Float[Array, "b h t 1"]:
    count = jnp.maximum(rows.total, 1.0)
    return count if self.by_length else jnp.ones_like(count)

  @property
  def online(self) -> bool:
    return type(self).share is Normalizer.share


def nonzero(divisor: Float[Array, "b h t 1"]) -> Float[Array, "b h t 1"]:
  """The divisor of a row; 1 where it is 0, as in a row of nobody."""
  return jnp.where(divisor == 0, 1.0, divisor)


def _powers(
  scores: Scores, allowed: Allowed, top: Float[Array, "b h t 1"]
) -> Weights:
  """exp(s_j − top), 0 where not allowed."""
  # Masked first: zeros put in afterwards are one more pass over all scores.
  return jnp.exp(jnp.where(allowed, scores - top, NOBODY))


def largest(scores: Scores, allowed: Allowed) -> Float[Array, "b h t 1"]:
  """The largest allowed score of each row; NOBODY in a row without any.

  It cancels out wherever it is used, so no gradient goes through it.
  """
  top = jnp.max(scores, axis=-1, keepdims=True, where=allowed, initial=NOBODY)
  return jax.lax.stop_gradient(top)


def below(scores: Scores, allowed: Allowed) -> Scores:
  """Scores less the largest of their row; −∞ where not allowed.

  For functions that a shift of the row leaves alone: no gradient goes
  through the largest score.
  """
  return jnp.where(allowed, scores - largest(scores, allowed), -jnp.inf)
