"""A fully connected layer on every token alone: it mixes nothing.

Formula: b_t = W_2 act(W_1 x_t + β_1) + β_2. Equal tokens get equal outputs.
Cost: O(t) time; a stream carries nothing.
"""

import flax.linen as nn
from jaxtyping import Array, Float

from research.connected.base import Connected
from research.mixer import Source, enter, leave
from research.places import Places, gather
from research.shapes import Activations, Asked


class Pointwise(Connected):
  """The baseline that knows no context."""

  @property
  def causal(self) -> bool:
    return True

  def state_size(self, width: int, length: int) -> int:
    return 0

  @nn.compact
  def __call__(
    self,
    x: Activations,
    places: Places,
    *,
    source: Source | None = None,
    at: Asked | None = None,
    deterministic: bool = True,
  ) -> Float[Array, "b a d"]:
    enter(self, x, places, source)
    y = self.layers(gather(x, at), x.shape[-1])
    return leave(y, places, at, gathered=True)
