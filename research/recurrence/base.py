"""What the cells share: their fields, and the way through a sequence."""

from typing import ClassVar

import flax.linen as nn
from jaxtyping import Array, Float

from research.evaluations.recurrence import (
  Remat,
  State,
  Step,
  check_remat,
  empty,
  recur,
)
from research.mixer import Mixer, Source, dense, enter, leave
from research.places import Places, gather
from research.record import check_number
from research.shapes import Activations, Asked, lacks
from research.stream import carried, carry


class Recurrence(Mixer):
  """A cell that reads one token after the other. Abstract.

  A variant says which parts of n numbers it carries to the next token, and
  what it does with a token. The projection back to the width is there only
  where n ≠ d.

  Attributes:
    hidden: the number of units n; 0 for as many as the width.
    reverse: from right to left, which is not causal.
    remat: 0, or the steps of a chunk that the backward pass computes again
      instead of keeping all of them; "root" for about √t.
  """

  hidden: int = 0
  reverse: bool = False
  remat: Remat = 0

  carried: ClassVar[tuple[str, ...]]

  def __post_init__(self) -> None:
    check_number(self, "hidden", 0)
    check_remat(self.remat)
    super().__post_init__()

  @property
  def causal(self) -> bool:
    return not self.reverse

  def state_size(self, width: int, length: int) -> int:
    return len(self.carried) * (self.hidden or width)

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
    width = x.shape[-1]
    hidden = self.hidden or width
    step = self._step(width, hidden)
    state = empty(x.shape[0], dict.fromkeys(self.carried, hidden))
    if streams:
      kept = carried(self, _leaves(state))
      segment = kept.pop("segment")
      state = State(kept, segment)
    y, state = recur(
      step,
      state,
      x,
      places.segments,
      reverse=self.reverse,
      remat=self.remat,
    )
    if streams:
      carry(self, _leaves(state))
    y = gather(y, at)
    if hidden != width:
      y = dense(width, y, "out")
    return leave(y, places, at, gathered=True)

  def _step(self, width: int, hidden: int) -> Step:
    """The step of the variant, with its parameters."""
    raise NotImplementedError(lacks(self, "_step"))


def _leaves(state: State) -> dict[str, Array]:
  """The leaves of a state as the cache names them."""
  return {**state.parts, "segment": state.segment}
