"""What position encodings have in common: two jobs, one class each."""

import math

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from research.places import Pairs
from research.shapes import (
  Activations,
  KeyPositions,
  Keys,
  Positions,
  Queries,
  SharedKeys,
  lacks,
)


class InputPosition(nn.Module):
  """An encoding that is added to the input of a model."""

  def __call__(self, x: Activations, positions: Positions) -> Activations:
    """`x` with its positions told."""
    raise NotImplementedError(lacks(self, "__call__"))

  @property
  def reach(self) -> int | None:
    """The number of positions it can tell apart; None for any number.

    A record whose batch holds a position of `reach` or more is refused.
    """
    return None


class ScorePosition(nn.Module):
  """An encoding that acts where queries meet keys.

  It may turn queries and keys (`rotate`), add to the scores (`bias`), add to
  what is read (`values`), or several of these. It is called block by block
  with slices, and may own parameters.
  """

  def rotate(
    self,
    q: Queries,
    k: SharedKeys,
    positions_q: Positions,
    positions_k: KeyPositions,
  ) -> tuple[Queries, SharedKeys]:
    """Queries and keys turned by their own positions.

    The two may have different numbers of heads here.
    """
    return q, k

  def bias(
    self,
    q: Queries,
    k: Keys,
    pairs: Pairs,
  ) -> Float[Array, "b h t s"] | None:
    """What is added to the scores before they are normalised.

    Scaled as the scaled dot product is. −∞ forbids a query to look at a key.

    Args:
      q: queries as they meet keys: after the score's `prepare` and `rotate`.
      k: keys likewise, one for every head.
      pairs: where they stand, and who may look at whom. What is added for
        pairs that are not allowed has no meaning.
    """
    return None

  def values(
    self,
    weights: Float[Array, "b h t s"],
    width: int,
    pairs: Pairs,
  ) -> Float[Array, "b t h v"] | None:
    """What is added to the weighted sum of the values, [b t h width].

    It has to be linear in the weights, so that blocks of keys add up.
    """
    return None

  def check(self, key_width: int) -> None:
    """Refuses, with a ValueError, a key width that does not fit."""

  @property
  def turns(self) -> bool:
    """Whether it turns queries and keys; only products of them allow it."""
    return False

  @property
  def blockable(self) -> bool:
    """Whether slices of the scores can be computed apart."""
    return True


def check_axes(positions: Positions | KeyPositions) -> None:
  """Refuses positions on a grid.

  Raises:
    ValueError: more than one position axis.
  """
  if positions.ndim != 2:
    raise ValueError(
      f"positions have shape {positions.shape}; allowed: (b, t), one axis"
    )


def differences(pairs: Pairs) -> Int[Array, "b t s"]:
  """How far each key stands before each query; negative behind it.

  Raises:
    ValueError: more than one position axis.
  """
  check_axes(pairs.positions_q)
  check_axes(pairs.positions_k)
  return pairs.positions_q[:, :, None] - pairs.positions_k[:, None, :]


def rates(count: int, base: float) -> Float[Array, " n"]:
  """base^(−i / count): from once in 2π positions to once in about 2π base."""
  return base ** (-jnp.arange(count, dtype=jnp.float32) / count)


def turned(
  x: Float[Array, "b t h k"],
  positions: Positions,
  base: float,
  interpolation: float = 1.0,
) -> Float[Array, "b t h k"]:
  """Half of the numbers of each head turned against the other half.

  Pair i is (x_i, x_{i + k/2}); it turns by p / interpolation · base^(−2i/k).
  Float32, whatever the dtype of `x`.

  Raises:
    ValueError: more than one position axis.
  """
  check_axes(positions)
  rate = rates(x.shape[-1] // 2, base)[None, None, None]
  angle = (positions / interpolation)[:, :, None, None] * rate
  cos, sin = jnp.cos(angle), jnp.sin(angle)
  left, right = jnp.split(x.astype(jnp.float32), 2, axis=-1)
  return jnp.concatenate(
    [left * cos - right * sin, right * cos + left * sin], axis=-1
  )


def check_positive(part: nn.Module, *names: str) -> None:
  """Refuses fields that are not above 0, or are infinite.

  Raises:
    ValueError: names the field and its value.
  """
  for name in names:
    value = getattr(part, name)
    if not 0 < value < math.inf:
      raise ValueError(f"{name} = {value}; allowed: above 0, finite")
