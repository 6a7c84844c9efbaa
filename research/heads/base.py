"""What ways of joining heads have in common."""

import flax.linen as nn
from jaxtyping import Array, Float

from research.normalizers.base import Weights
from research.scores.base import Scores


class Heads(nn.Module):
  """What happens between the heads of attention.

  `h` score maps are made of queries and keys, and `heads` outputs of weights
  and values; `maps` says how many of the one there are for each of the other.
  """

  @property
  def maps(self) -> int:
    """Score maps per head; queries and keys are that much narrower."""
    return 1

  def before(self, scores: Scores) -> Scores:
    """Scores as they are normalised, [b h t s], not masked yet."""
    return scores

  def after(
    self, weights: Weights, key_width: int
  ) -> Float[Array, "b heads t s"]:
    """The weights of the outputs, [b heads t s], from those of the maps.

    Each key by itself: blocks of keys are given apart.

    Args:
      weights: of the maps; those of one head stand side by side.
      key_width: k, for parameters that are as wide as a key.
    """
    return weights

  @property
  def reweighs(self) -> bool:
    """Whether `after` does anything."""
    return type(self).after is not Heads.after

  def finish(self, y: Float[Array, "b t h v"]) -> Float[Array, "b t h v"]:
    """The outputs of the heads, before they are joined."""
    return y
