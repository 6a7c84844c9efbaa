"""A fully connected layer over a window of neighbours.

Formula: b_t = W_2 act(W_1 [x_{t−before} … x_{t+after}] + β_1) + β_2; zeros
stand for neighbours outside of the segment.
Cost: O(t · window) time, and parameters that grow with the window; a stream
carries d · before numbers.
"""

import flax.linen as nn
from jaxtyping import Array, Float

from research.connected.base import Connected
from research.evaluations.convolution.dense import neighbours
from research.mixer import Source, enter, leave
from research.places import Places, gather
from research.record import check_number
from research.shapes import Activations, Asked
from research.stream import history


class WindowConnected(Connected):
  """The baseline that knows as much context as its window is wide.

  Attributes:
    before: the number of earlier neighbours.
    after: the number of later neighbours; 0 is causal.
  """

  before: int = 1
  after: int = 1

  def __post_init__(self) -> None:
    for name in ("before", "after"):
      check_number(self, name, 0)
    super().__post_init__()

  @property
  def causal(self) -> bool:
    return self.after == 0

  def state_size(self, width: int, length: int) -> int:
    return width * (self.before + self.after)

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
    width, segments, index = x.shape[-1], places.segments, at
    if streams:
      joined, segments, index = history(
        self, {"inputs": x}, segments, self.before
      )
      x, index = joined["inputs"], gather(index, at)
    else:
      self._check(x.shape[1])
    seen = gather(neighbours(x, segments, self.before, self.after), index)
    return leave(self.layers(seen, width), places, at, gathered=True)

  def _check(self, length: int) -> None:
    for name in ("before", "after"):
      if getattr(self, name) >= length:
        raise ValueError(
          f"{name} = {getattr(self, name)}; allowed: less than the sequence "
          f"length {length}"
        )
