"""Blocks one upon another: what encoders, decoders and models share."""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import flax.linen as nn
from jaxtyping import Array, Float

from research.attention.layer import Attention
from research.field_types import check_types
from research.mixer import Mixer, Source
from research.models.block import Block, NoCross, Placement, check_halves
from research.models.feed_forward import FeedForward, NoFeedForward
from research.models.norms import LayerNorm, Norm
from research.places import Places
from research.record import check_choice, check_number
from research.shapes import Activations, Asked
from research.stream import cached, check_cached

Depth = Literal["unrolled", "scanned"]
LastNorm = Literal["auto", "yes", "no"]
_PARTS = "mixer", "feed_forward", "normalization"


class Stack(nn.Module):
  """The fields of a stack of blocks, and the way through it. Abstract.

  Attributes:
    mixer: the mixer of every block, or a `Hybrid`: of each block its own.
    layers: the number of blocks.
    feed_forward: of every block.
    norm: where the norms stand.
    last_norm: whether one stands behind all blocks; "auto" puts one there
      with "pre" and "sandwich". PyTorch's Transformer has it always.
    normalization: which norm it is.
    residual: whether blocks add what they do to what they got.
    dropout: rate on the output of each half of a block.
    stochastic_depth: the share of rows in which a half of a block is left
      out while training; without `residual` nothing can be left out.
    depth: "scanned" compiles one block for all but the last, whose numbers
      have an axis for the depth; deep stacks compile sooner, and shallow ones
      run slower.
    remat: whether the backward pass computes what is within blocks again
      instead of keeping it.
  """

  mixer: Mixer = dataclasses.field(default_factory=Attention)
  layers: int = 2
  feed_forward: FeedForward | NoFeedForward = dataclasses.field(
    default_factory=FeedForward
  )
  norm: Placement = "pre"
  last_norm: LastNorm = "auto"
  normalization: Norm = LayerNorm()
  residual: bool = True
  dropout: float = 0.0
  stochastic_depth: float = 0.0
  depth: Depth = "unrolled"
  remat: bool = False

  def __post_init__(self) -> None:
    check_types(self, *_PARTS, "residual", "remat")
    check_number(self, "layers", 1)
    check_choice(self, "last_norm", LastNorm)
    check_choice(self, "depth", Depth)
    check_halves(self)
    alike = self.mixer.at_depth(0) is self.mixer
    if self.depth == "scanned" and not alike:
      raise ValueError(
        f"depth = 'scanned' with mixer = {type(self.mixer).__name__}, which "
        "differs from block to block; allowed: 'unrolled'"
      )
    super().__post_init__()

  def _through(
    self,
    x: Activations,
    places: Places,
    *,
    source: Source | None = None,
    at: Asked | None = None,
    deterministic: bool = True,
    cross: Mixer | None = None,
  ) -> Float[Array, "b a d"]:
    """What comes out of the last block, at the indices `at` or everywhere.

    To be called from a compact method, whose module owns the blocks.
    """

    def step(block: Block, x: Array, at: Asked | None) -> Array:
      before = cached(block)
      x = block(x, places, source=source, at=at, deterministic=deterministic)
      check_cached(block, before)
      return x

    before = self.layers - 1
    inside = step
    if self.remat:
      # A loop keeps its body apart by itself, if it has more than one turn.
      # Elsewhere the compiler would join what is computed again with what was
      # computed before.
      inside = nn.remat(step, prevent_cse=before == 1)
      step = nn.remat(step)
    if self.depth == "scanned" and before:
      x = _scanned(inside, self._block(0, cross, "blocks"), x, before)
    else:
      for layer in range(before):
        x = step(self._block(layer, cross), x, None)
    x = step(self._block(before, cross), x, at)
    open_end = self.norm in ("pre", "sandwich")
    if self.last_norm == "yes" or (self.last_norm == "auto" and open_end):
      x = self.normalization(x, "norm")
    return x

  def _block(self, layer: int, cross: Mixer | None, name: str = "") -> Block:
    return Block(
      self.mixer.at_depth(layer).copy(parent=None),
      self.feed_forward.copy(parent=None),
      self.norm,
      self.dropout,
      self.normalization,
      self.residual,
      self.stochastic_depth,
      NoCross() if cross is None else cross.copy(parent=None),
      name=name or f"block_{layer}",
    )

  @property
  def causal(self) -> bool:
    """Whether it goes on token by token with a cache."""
    return self.mixer.causal

  def carried(self, width: int, length: int) -> int:
    """The numbers that the mixers carry to the next token."""
    mixers = map(self.mixer.at_depth, range(self.layers))
    return sum(mixer.state_size(width, length) for mixer in mixers)


def _scanned(
  step: Callable[..., Array], block: Block, x: Array, count: int
) -> Array:
  """`count` blocks of one form; a cache keeps the batch axis first."""

  def body(block: Block, x: Array, _: None) -> tuple[Array, None]:
    return step(block, x, None), None

  scan: Any = nn.scan(
    body,
    variable_axes={"params": 0, "cache": 1, "intermediates": 0},
    split_rngs={"params": True, "dropout": True},
    length=count,
  )
  return scan(block, x, None)[0]
