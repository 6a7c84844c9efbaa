"""Recurrences one above the other, as one mixer.

Formula: y = m_n(… m_2(m_1(x))), nothing in between. Cost: that of all of them.
(El Hihi and Bengio 1995; Graves 2013)

A model of several blocks has a norm, a residual sum and a feed-forward layer
between its mixers. Here there is none of these, as within the layers of
PyTorch and cuDNN (`num_layers`).
"""

import flax.linen as nn
from jaxtyping import Array, Float

from research.mixer import Mixer, Source, enter
from research.places import Places
from research.shapes import Activations, Asked


class Stacked(Mixer):
  """Mixers of which each reads what the one before it gave out.

  Causal if all of them are. Parameters: those of all mixers.

  Attributes:
    mixers: from the input to the output: `(LSTM(), LSTM())`.
  """

  mixers: tuple[Mixer, ...]

  def __post_init__(self) -> None:
    if not self.mixers:
      raise ValueError("mixers = (); allowed: one mixer or more")
    super().__post_init__()

  @property
  def causal(self) -> bool:
    return all(mixer.causal for mixer in self.mixers)

  def state_size(self, width: int, length: int) -> int:
    return sum(mixer.state_size(width, length) for mixer in self.mixers)

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
    *below, top = self.mixers
    for mixer in below:
      x = mixer(x, places, deterministic=deterministic)
    return top(x, places, at=at, deterministic=deterministic)
