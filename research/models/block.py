"""A residual block: mixers along the sequence, then a feed-forward layer."""

import dataclasses
from collections.abc import Callable
from typing import Literal

import flax.linen as nn
from jaxtyping import Array, Float

from research.mixer import Mixer, Source
from research.models.feed_forward import FeedForward, NoFeedForward
from research.models.norms import LayerNorm, Norm
from research.places import Places, check_places, gather, zero_padding
from research.record import check_choice, check_share
from research.shapes import Activations, Asked

Placement = Literal["pre", "post", "sandwich", "none"]


class NoCross(nn.Module):
  """No half that reads from another sequence."""


class Block(nn.Module):
  """Halves one after the other: x + f(x), normalised as `norm` says.

  Formula: x + f(norm x) for "pre" (Xiong 2020), norm(x + f(x)) for "post"
  (Vaswani 2017), x + norm f(norm x) for "sandwich" (Ding 2021), x + f(x) for
  "none"; f is the mixer, then cross-attention if there is any, then the
  feed-forward layer.

  Attributes:
    mixer: moves information along the sequence.
    feed_forward: works on every position alone.
    norm: where norms stand.
    dropout: rate on the output of each half.
    normalization: which norm it is.
    residual: whether x is added; without, f alone goes on.
    stochastic_depth: the share of rows in which a half is left out while
      training (Huang 2016); the others are scaled up. Needs `residual`.
    cross: reads from `source`, as in the decoder of a Transformer. Without
      it, `source` goes to the mixer.
  """

  mixer: Mixer
  feed_forward: FeedForward | NoFeedForward = dataclasses.field(
    default_factory=FeedForward
  )
  norm: Placement = "pre"
  dropout: float = 0.0
  normalization: Norm = LayerNorm()
  residual: bool = True
  stochastic_depth: float = 0.0
  cross: Mixer | NoCross = dataclasses.field(default_factory=NoCross)

  def __post_init__(self) -> None:
    check_halves(self)
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
    """The block's outputs, at the indices `at` [b a] or everywhere.

    Raises:
      ValueError: `cross` without a source.
    """
    check_places(x, places)
    self._check_source(source)
    # Zeros at the door keep a NaN on padding out of the norms' and the
    # feed-forward's gradients; the norm's bias is taken off again.
    x = zero_padding(x, places)

    def half(
      x: Array, name: str, read: Source | None, asked: Asked | None
    ) -> Array:
      def mix(y: Array) -> Array:
        # A norm has a bias, which padding is not to have.
        y, mixer = zero_padding(y, places), getattr(self, name)
        return mixer(
          y, places, source=read, at=asked, deterministic=deterministic
        )

      return self._half(x, name, mix, asked, deterministic)

    if isinstance(self.cross, NoCross):
      x = half(x, "mixer", source, at)
    else:
      x = half(x, "mixer", None, None)
      x = half(x, "cross", source, at)
    if isinstance(self.feed_forward, NoFeedForward):
      return x
    return self._half(x, "feed_forward", self.feed_forward, None, deterministic)

  def _check_source(self, source: Source | None) -> None:
    if source is None and not isinstance(self.cross, NoCross):
      raise ValueError(
        f"source = None with cross = {type(self.cross).__name__}; allowed: "
        "(vectors, places) of another sequence, which it reads from"
      )

  def _half(
    self,
    x: Array,
    name: str,
    function: Callable[[Array], Array],
    at: Asked | None,
    deterministic: bool,
  ) -> Array:
    """One half of the block around `function`."""
    y = x
    if self.norm in ("pre", "sandwich"):
      y = self.normalization(y, f"{name}_norm")
    y = function(y)
    if self.norm == "sandwich":
      y = self.normalization(y, f"{name}_out_norm")
    y = self._drop(y, deterministic, name)
    x = gather(x, at) + y if self.residual else y
    return self.normalization(x, f"{name}_norm") if self.norm == "post" else x

  def _drop(self, x: Array, deterministic: bool, name: str) -> Array:
    if self.dropout:
      shown = "out" if name == "feed_forward" else name
      layer = nn.Dropout(self.dropout, name=f"{shown}_dropout")
      x = layer(x, deterministic=deterministic)
    if self.stochastic_depth:
      layer = nn.Dropout(
        self.stochastic_depth, broadcast_dims=(1, 2), name=f"{name}_depth"
      )
      x = layer(x, deterministic=deterministic)
    return x


def check_halves(record: nn.Module) -> None:
  """Refuses the fields that a block and a stack of blocks both have.

  Raises:
    ValueError: names the field, and what is allowed.
  """
  check_choice(record, "norm", Placement)
  check_share(record, "dropout")
  check_share(record, "stochastic_depth")
  if record.stochastic_depth and not record.residual:
    raise ValueError(
      f"stochastic_depth = {record.stochastic_depth} with residual = False "
      "makes whole rows zero; allowed: 0.0, or residual = True"
    )
