"""A pattern of mixers over depth, as attention, gru, attention, gru.

Formula: block i mixes with mixers[i mod number of mixers].
Cost: that of the mixers. (Arora 2024; Lieber 2024)
"""

from jaxtyping import Array, Float

from research.mixer import Mixer, Source
from research.places import Places
from research.shapes import Activations, Asked


class Hybrid(Mixer):
  """The mixers of a model's blocks in turn, from the first block on.

  Stands where one mixer stands for all blocks, and nowhere below it: the
  model asks it for the mixer of each depth.

  Attributes:
    mixers: of the blocks, repeated over the depth; one at least.
  """

  mixers: tuple[Mixer, ...]

  def __post_init__(self) -> None:
    if not self.mixers:
      raise ValueError("mixers = (); allowed: one mixer or more")
    super().__post_init__()

  @property
  def causal(self) -> bool:
    return all(mixer.causal for mixer in self.mixers)

  def at_depth(self, depth: int) -> Mixer:
    return self.mixers[depth % len(self.mixers)].at_depth(
      depth // len(self.mixers)
    )

  def state_size(self, width: int, length: int) -> int:
    raise ValueError(_alone(self))

  def __call__(
    self,
    x: Activations,
    places: Places,
    *,
    source: Source | None = None,
    at: Asked | None = None,
    deterministic: bool = True,
  ) -> Float[Array, "b a d"]:
    raise ValueError(_alone(self))


def _alone(hybrid: Hybrid) -> str:
  names = ", ".join(type(mixer).__name__ for mixer in hybrid.mixers)
  return (
    f"mixer = Hybrid({names}) is a pattern over depth; allowed: as the mixer "
    "of a model, which takes one of them for each block"
  )
