"""A residual block: a mixer along the sequence, then a feed-forward layer."""

import dataclasses
from typing import Literal

import flax.linen as nn
from jaxtyping import Array, Float

from research.mixer import Mixer, Source
from research.models.feed_forward import FeedForward, NoFeedForward
from research.places import Places, check_places, gather, zero_padding
from research.shapes import Activations, Asked


class Block(nn.Module):
  """x + mixer(norm x), then x + feed-forward(norm x); or norms after.

  Attributes:
    mixer: moves information along the sequence.
    feed_forward: works on every position alone.
    norm: "pre" before each half (Xiong 2020), "post" after each residual
      sum (Vaswani 2017).
    dropout: rate on the output of each half.
  """

  mixer: Mixer
  feed_forward: FeedForward | NoFeedForward = dataclasses.field(
    default_factory=FeedForward
  )
  norm: Literal["pre", "post"] = "pre"
  dropout: float = 0.0

  def __post_init__(self) -> None:
    if self.norm not in ("pre", "post"):
      raise ValueError(f"norm = {self.norm!r}; allowed: 'pre', 'post'")
    if not 0.0 <= self.dropout < 1.0:
      raise ValueError(f"dropout = {self.dropout}; allowed: 0 to below 1")
    super().__post_init__()

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
    """The block's outputs, at the indices `at` [b a] or everywhere."""
    check_places(x, places)
    # Zeros at the door keep a NaN on padding out of the norms' and the
    # feed-forward's gradients; the norm's bias is taken off again.
    x = zero_padding(x, places)
    y = x
    if self.norm == "pre":
      y = zero_padding(_norm(y, "mixer_norm"), places)
    y = self.mixer(y, places, source=source, at=at, deterministic=deterministic)
    x = gather(x, at) + self._drop(y, deterministic, "mixer_dropout")
    if self.norm == "post":
      x = _norm(x, "mixer_norm")
    if isinstance(self.feed_forward, NoFeedForward):
      return x
    y = _norm(x, "feed_forward_norm") if self.norm == "pre" else x
    y = self._drop(self.feed_forward(y), deterministic, "out_dropout")
    x = x + y
    return _norm(x, "feed_forward_norm") if self.norm == "post" else x

  def _drop(self, x: Array, deterministic: bool, name: str) -> Array:
    if self.dropout == 0.0:
      return x
    return nn.Dropout(self.dropout, name=name)(x, deterministic=deterministic)


def _norm(x: Array, name: str) -> Array:
  return nn.LayerNorm(dtype=x.dtype, name=name)(x)
