"""Two mixers on one sequence, from left to right and from right to left.

Formula: y_t = W [forward(x)_t; backward(x)_t], or forward(x)_t + backward(x)_t.
Cost: that of both mixers. (Schuster and Paliwal 1997)
"""

from typing import Literal

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from research.mixer import Mixer, Source, dense, enter, leave
from research.places import Places
from research.record import check_choice
from research.shapes import Activations, Asked

Join = Literal["concatenate", "sum"]


class Bidirectional(Mixer):
  """A causal mixer and one from right to left; not causal.

  Parameters: those of both mixers; 2 d² more where they are concatenated.

  Attributes:
    forward: from left to right: `LSTM()`.
    backward: from right to left: `LSTM(reverse=True)`.
    join: "concatenate" their outputs and project them back to the width (the
      paper), or "sum" them.
  """

  forward: Mixer
  backward: Mixer
  join: Join = "concatenate"

  def __post_init__(self) -> None:
    if not self.forward.causal:
      raise ValueError(
        f"forward = {type(self.forward).__name__} is not causal; allowed: a "
        "mixer from left to right"
      )
    if self.backward.causal:
      raise ValueError(
        f"backward = {type(self.backward).__name__} is causal; allowed: a "
        "mixer that reads from the right, as with reverse=True"
      )
    check_choice(self, "join", Join)
    super().__post_init__()

  @property
  def causal(self) -> bool:
    return False

  def state_size(self, width: int, length: int) -> int:
    return sum(
      mixer.state_size(width, length) for mixer in (self.forward, self.backward)
    )

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
    left = self.forward(x, places, at=at, deterministic=deterministic)
    right = self.backward(x, places, at=at, deterministic=deterministic)
    if self.join == "sum":
      return left + right
    y = jnp.concatenate([left, right], axis=-1)
    y = dense(x.shape[-1], y, "out")
    return leave(y, places, at, gathered=True)
