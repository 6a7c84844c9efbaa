"""A short shift before any mixer (H3's shift, Fu 2023; Arora 2023).

Formula: b = mixer(x'), x'_t = Σ_i w_i ⊙ x_{t−i}, i < width.
Cost: O(t · width) time and d · (width − 1) numbers, on top of the mixer's.
"""

import flax.linen as nn
from jaxtyping import Array, Float

from research.evaluations.convolution.depthwise import convolve
from research.mixer import Mixer, Source, enter
from research.places import Places, gather, zero_padding
from research.record import check_number
from research.shapes import Activations, Asked
from research.stream import history


class Shifted(Mixer):
  """A mixer whose every token knows the few tokens before it.

  A key that stands beside its value is what recall needs, and what a layer
  of attention alone has to learn first.

  Attributes:
    mixer: the mixer that reads the shifted tokens.
    width: the number of latest tokens that are mixed, the token included.
  """

  mixer: Mixer
  width: int = 3

  def __post_init__(self) -> None:
    check_number(self, "width", 1)
    super().__post_init__()

  @property
  def causal(self) -> bool:
    return self.mixer.causal

  def state_size(self, width: int, length: int) -> int:
    own = width * (self.width - 1)
    return own + self.mixer.state_size(width, length)

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
    streams = enter(self, x, places, source)
    # Random taps, each channel with its own: attention then recalls (8 pairs,
    # 32 tokens) after 100 to 150 steps, and 150 to 250 if it starts at the
    # identity with little noise.
    filters = self.param(
      "filter", nn.initializers.lecun_normal(), (self.width, x.shape[-1])
    )
    segments, index = places.segments, None
    if streams:
      joined, segments, index = history(
        self, {"inputs": x}, segments, self.width - 1
      )
      x = joined["inputs"]
    y = gather(convolve(x, filters, segments), index)
    y = zero_padding(y, places)
    return self.mixer(y, places, at=at, deterministic=deterministic)
