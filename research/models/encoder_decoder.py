"""The Transformer of Vaswani 2017, in which every mixer can be exchanged."""

import dataclasses
import math
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from research.attention.layer import Attention
from research.field_types import check_types
from research.masks import Full
from research.mixer import Mixer, Source
from research.models.front import Front, NoFront
from research.models.sequence import Precision
from research.models.stack import Stack
from research.models.tokens import readable
from research.places import Places, check_places, in_int32, whole, zero_padding
from research.positions.base import InputPosition
from research.positions.sinusoidal import Sinusoidal
from research.record import check_choice, check_number, check_share
from research.shapes import Activations, Asked
from research.sharing import unshare
from research.stream import cached, check_cached

Tied = Literal["none", "readout", "all"]
_PARTS = "encoder", "decoder", "front", "source_position", "target_position"


def _reading() -> Attention:
  return Attention(mask=Full())


class Encoder(Stack):
  """Blocks that read the source, mostly in both directions."""

  mixer: Mixer = dataclasses.field(default_factory=_reading)

  @nn.compact
  def __call__(
    self, x: Activations, places: Places, *, deterministic: bool = True
  ) -> Activations:
    return self._through(x, places, deterministic=deterministic)


class Decoder(Stack):
  """Blocks that read what was written, and the encoded source.

  The fields of `Stack`, and:

  Attributes:
    cross: attends to the source in every block, between the mixer and the
      feed-forward layer.
  """

  cross: Attention = dataclasses.field(default_factory=_reading)

  def __post_init__(self) -> None:
    if not isinstance(self.cross, Attention):
      raise ValueError(
        f"cross = {type(self.cross).__name__}; allowed: Attention, as no "
        "other mixer reads from another sequence"
      )
    if self.cross.causal:
      raise ValueError(
        f"cross = Attention(mask={self.cross.mask}) is causal, and hides the "
        "source behind a token's own place from it; allowed: a mask that is "
        "not causal, as Full()"
      )
    super().__post_init__()

  @nn.compact
  def __call__(
    self,
    x: Activations,
    places: Places,
    source: Source,
    *,
    at: Asked | None = None,
    deterministic: bool = True,
  ) -> Float[Array, "b a d"]:
    return self._through(
      x,
      places,
      source=source,
      at=at,
      deterministic=deterministic,
      cross=self.cross,
    )


class EncoderDecoder(nn.Module):
  """A source is read by an encoder, and a target written by a decoder.

  Embedded tokens are multiplied by √width, as their first numbers have the
  variance 1 / width. With a tied readout that is the model of T5 as well.

  Attributes:
    encoder: reads the source.
    decoder: writes the target token by token. Causal, if it is to generate
      with a cache.
    front: what shortens the source before it is read.
    width: d.
    source_position: an encoding added to the source.
    target_position: an encoding added to the target.
    tied: which tables are one: "readout" that of the target's tokens and the
      readout's, "all" the source's too, whose tokens are then those of the
      target in the same order.
    dropout: rate on both embeddings.
    precision: of the computation; parameters and readout are float32.
    vocabulary: tokens of the source; 0 until a task tells, or for vectors.
    classes: tokens of the target; 0 until a task tells.
  """

  encoder: Encoder = dataclasses.field(default_factory=Encoder)
  decoder: Decoder = dataclasses.field(default_factory=Decoder)
  front: Front = dataclasses.field(default_factory=NoFront)
  width: int = 64
  source_position: InputPosition = dataclasses.field(default_factory=Sinusoidal)
  target_position: InputPosition = dataclasses.field(default_factory=Sinusoidal)
  tied: Tied = "none"
  dropout: float = 0.0
  precision: Precision = "float32"
  vocabulary: int = 0
  classes: int = 0

  def __post_init__(self) -> None:
    check_types(self, *_PARTS)
    for name, least in (("width", 1), ("vocabulary", 0), ("classes", 0)):
      check_number(self, name, least)
    check_choice(self, "tied", Tied)
    check_choice(self, "precision", Precision)
    check_share(self, "dropout")
    unshare(self)
    super().__post_init__()

  @property
  def causal(self) -> bool:
    """Whether the decoder can write token by token with a cache."""
    return self.decoder.causal

  def setup(self) -> None:
    self._check_sizes()
    self.target_embed = self._table(self.classes)
    self.source_embed = self._source_embed()
    if self.tied == "none":
      self.readout = nn.Dense(self.classes)
    self.drop = nn.Dropout(self.dropout)

  def __call__(
    self,
    inputs: Int[Array, "b t"],
    places: Places,
    *,
    source: tuple[Array, Places],
    at: Asked | None = None,
    deterministic: bool = True,
  ) -> Float[Array, "b a c"]:
    """Logits of the token behind each token of the target.

    Args:
      inputs: what was written so far, beginning with BEGIN.
      places: where it stands.
      source: tokens Int[b s] or vectors Float[b s i], and where they stand.
      at: Int[b a], the outputs asked for; None for all.
      deterministic: no dropout.

    Returns:
      Float32[b a c]; a = t without `at`.

    Raises:
      ValueError: sizes that do not fit each other, named.
    """
    memory = self.encode(*source, deterministic=deterministic)
    return self.decode(
      inputs, places, memory, at=at, deterministic=deterministic
    )

  def encode(
    self,
    inputs: Int[Array, "b s"] | Float[Array, "b s i"],
    places: Places,
    *,
    deterministic: bool = True,
  ) -> Source:
    """What the decoder reads of a source, and where its elements stand."""
    check_places(inputs, places)
    self._check_source(inputs)
    places = in_int32(places)
    if self.vocabulary:
      x = self.source_embed(readable(inputs, places, self.vocabulary))
      x *= math.sqrt(self.width)
    else:
      # No NaN on padding in the layer's gradient.
      x = self.source_embed(zero_padding(inputs, places))
    x, places = self.front(x, places)
    x = self.source_position(x, places.positions)
    x = self.drop(x, deterministic=deterministic)
    return self.encoder(x, places, deterministic=deterministic), places

  def decode(
    self,
    inputs: Int[Array, "b t"],
    places: Places,
    source: Source,
    *,
    at: Asked | None = None,
    deterministic: bool = True,
  ) -> Float[Array, "b a c"]:
    """Logits behind each token, where the source was encoded before.

    Under `mutable=["cache"]` the tokens are appended to a stream, whose first
    call keeps what it reads of the source.

    Raises:
      ValueError: no source; the cache of another model.
    """
    check_places(inputs, places)
    places = in_int32(places)
    before = cached(self)
    x = self.target_embed(readable(inputs, places, self.classes))
    x *= math.sqrt(self.width)
    x = self.target_position(x, places.positions)
    x = self.drop(x, deterministic=deterministic)
    x = self.decoder(x, places, source, at=at, deterministic=deterministic)
    check_cached(self, before)
    x = x.astype(jnp.float32)
    if self.tied == "none":
      return self.readout(x)
    return jnp.einsum("bad,cd->bac", x, self.target_embed.embedding)

  def start(self, batch: int, length: int, source: Any) -> Any:
    """The empty `cache` collection of a stream that `decode` goes on with.

    Args:
      batch: b.
      length: the most tokens that will be written in a row.
      source: what `encode` gave, or its shapes.

    Raises:
      ValueError: the decoder is not causal.
    """

    def cache(source: Source) -> Any:
      tokens = jnp.zeros((batch, length), jnp.int32)
      given = (tokens, whole(tokens), source)
      key = jax.random.key(0)
      variables = self.init(key, *given, method="decode")
      _, new = self.apply(variables, *given, method="decode", mutable=["cache"])
      return new.get("cache", {})

    return jax.tree.map(
      lambda leaf: jnp.zeros(leaf.shape, leaf.dtype),
      jax.eval_shape(cache, source),
    )

  def state_size(self, length: int) -> int:
    """The numbers that the decoder carries from one token to the next.

    What it reads of the source is not counted: it does not change.
    """
    return self.decoder.carried(self.width, length)

  def _source_embed(self) -> nn.Module:
    if self.tied == "all":
      return self.target_embed
    if self.vocabulary:
      return self._table(self.vocabulary)
    return nn.Dense(self.width, dtype=jnp.dtype(self.precision))

  def _table(self, count: int) -> nn.Embed:
    return nn.Embed(
      count,
      self.width,
      dtype=jnp.dtype(self.precision),
      embedding_init=nn.initializers.normal(self.width**-0.5),
    )

  def _check_sizes(self) -> None:
    if self.classes < 1:
      raise ValueError("classes = 0; allowed: 1 or more, as the task says")
    if self.tied == "all" and self.vocabulary != self.classes:
      raise ValueError(
        f"tied = 'all' with vocabulary {self.vocabulary} and classes "
        f"{self.classes}; allowed: a source of as many tokens as the target"
      )

  def _check_source(self, inputs: Array) -> None:
    tokens = jnp.issubdtype(inputs.dtype, jnp.integer)
    if tokens != (self.vocabulary > 0):
      raise ValueError(
        f"vocabulary = {self.vocabulary} with a source of {inputs.dtype}; "
        "allowed: 1 or more for tokens, 0 for vectors"
      )
