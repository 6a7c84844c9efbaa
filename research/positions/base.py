"""What position encodings have in common: two jobs, one class each."""

import flax.linen as nn
from jaxtyping import Array, Float

from research.shapes import (
  Activations,
  KeyPositions,
  Keys,
  Positions,
  Queries,
)


class InputPosition(nn.Module):
  """An encoding that is added to the input of a model."""

  def __call__(self, x: Activations, positions: Positions) -> Activations:
    """`x` with its positions told."""
    raise NotImplementedError

  @property
  def reach(self) -> int | None:
    """The number of positions it can tell apart; None for any number.

    A record whose batch holds a position of `reach` or more is refused.
    """
    return None


class ScorePosition(nn.Module):
  """An encoding that acts where queries meet keys.

  It may turn queries and keys (`rotate`), add to the scores (`bias`), or do
  both. It is called block by block with slices, and may own parameters.
  """

  def rotate(
    self,
    q: Queries,
    k: Keys,
    positions_q: Positions,
    positions_k: KeyPositions,
  ) -> tuple[Queries, Keys]:
    """Queries and keys turned by their own positions."""
    return q, k

  def bias(
    self,
    q: Queries,
    k: Keys,
    positions_q: Positions,
    positions_k: KeyPositions,
  ) -> Float[Array, "b h t s"] | None:
    """What is added to the scores before they are normalised."""
    return None

  def check(self, key_width: int) -> None:
    """Refuses, with a ValueError, a key width that does not fit."""

  @property
  def blockable(self) -> bool:
    """Whether slices of the scores can be computed apart."""
    return True
