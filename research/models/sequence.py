"""A model over one sequence: embedding, blocks, readout.

Tokens or vectors in; one output per position asked for, or one per sequence.
"""

import dataclasses
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from research.field_types import check_types
from research.models.stack import Stack
from research.models.tokens import readable
from research.places import (
  Places,
  check_places,
  gather,
  in_int32,
  whole,
  zero_padding,
)
from research.positions.base import InputPosition
from research.positions.none import NoPosition
from research.record import check_choice, check_number
from research.shapes import Activations, Asked
from research.stream import cached, check_cached

Embedding = Literal["learned", "one_hot"]
Readout = Literal["separate", "tied"]
Pooling = Literal["none", "mean", "first", "last"]
Precision = Literal["float32", "bfloat16"]


class SequenceModel(Stack):
  """Blocks of one mixer between an embedding and a readout.

  An encoder alone if its mixer is bidirectional, a decoder alone if it is
  causal. The fields of `Stack`, and:

  Attributes:
    width: d.
    position: an encoding added to the input.
    embedding: of tokens; "one_hot" needs vocabulary ≤ width.
    readout: "tied" uses the embedding, and needs tokens. Its rows are the
      classes in their order; with fewer classes than tokens the last tokens
      are read and not written.
    pooling: one output for the whole sequence, or "none".
    precision: of the computation; parameters and readout are float32.
    vocabulary: number of tokens; 0 until a task tells, or for vectors.
    classes: number of outputs c; 0 until a task tells.
  """

  width: int = 64
  position: InputPosition = dataclasses.field(default_factory=NoPosition)
  embedding: Embedding = "learned"
  readout: Readout = "separate"
  pooling: Pooling = "none"
  precision: Precision = "float32"
  vocabulary: int = 0
  classes: int = 0

  def __post_init__(self) -> None:
    check_types(self, "position")
    for name, least in (("width", 1), ("vocabulary", 0), ("classes", 0)):
      check_number(self, name, least)
    for name, choices in (
      ("embedding", Embedding),
      ("readout", Readout),
      ("pooling", Pooling),
      ("precision", Precision),
    ):
      check_choice(self, name, choices)
    super().__post_init__()

  @nn.compact
  def __call__(
    self,
    inputs: Int[Array, "b t"] | Float[Array, "b t i"],
    places: Places,
    *,
    at: Asked | None = None,
    deterministic: bool = True,
  ) -> Float[Array, "b a c"]:
    """Logits or predictions.

    Args:
      inputs: tokens Int[b t], or vectors Float[b t i].
      places: where they stand.
      at: Int[b a], the outputs asked for; None for all. The last block and
        the readout then work on these alone, with equal results.
      deterministic: no dropout.

    Returns:
      Float32[b a c]; a = t without `at`, a = 1 with pooling.

    Raises:
      ValueError: sizes that do not fit each other, named; the cache of
        another model.
    """
    check_places(inputs, places)
    self._check(inputs, at)
    places = in_int32(places)
    before = cached(self)
    x = self._embed(inputs, places)
    if not self.is_initializing():
      # A door for slopes: what stands in "perturbations" is added here.
      x = self.perturb("embedded", x)
    x = self.position(x, places.positions)
    x = self._through(x, places, at=at, deterministic=deterministic)
    check_cached(self, before)
    return self._read_out(self._pool(x.astype(jnp.float32), places))

  def start(self, batch: int, length: int, inputs: int = 1) -> Any:
    """The empty `cache` collection of a stream.

    Args:
      batch: b.
      length: the most tokens that will be appended to a row.
      inputs: width of the input vectors, where inputs are vectors.

    Raises:
      ValueError: the mixer is not causal, or the model pools.
    """
    if self.pooling != "none":
      raise ValueError(
        f"pooling = {self.pooling!r} does not stream; allowed: 'none'"
      )
    shape = (batch, length) if self.vocabulary else (batch, length, inputs)
    dtype = jnp.int32 if self.vocabulary else jnp.float32

    def cache() -> Any:
      x = jnp.zeros(shape, dtype)
      variables = self.init(jax.random.key(0), x, whole(x))
      _, new = self.apply(variables, x, whole(x), mutable=["cache"])
      return new.get("cache", {})

    return jax.tree.map(
      lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(cache)
    )

  def state_size(self, length: int) -> int:
    """The numbers carried to the next token, over all layers."""
    return self.carried(self.width, length)

  def _check(self, inputs: Array, at: Asked | None) -> None:
    if self.classes < 1:
      raise ValueError("classes = 0; allowed: 1 or more, as the task says")
    tokens = jnp.issubdtype(inputs.dtype, jnp.integer)
    if tokens != (self.vocabulary > 0):
      raise ValueError(
        f"vocabulary = {self.vocabulary} with inputs of {inputs.dtype}; "
        "allowed: 1 or more for tokens, 0 for vectors"
      )
    if self.embedding == "one_hot" and self.vocabulary > self.width:
      raise ValueError(
        f"embedding = 'one_hot' with vocabulary {self.vocabulary} does not "
        f"fit width {self.width}; allowed: vocabulary <= width"
      )
    learned = tokens and self.embedding == "learned"
    if self.readout == "tied" and not (
      learned and self.classes <= self.vocabulary
    ):
      raise ValueError(
        f"readout = 'tied' with vocabulary {self.vocabulary} and classes "
        f"{self.classes}; allowed: a learned embedding of as many tokens "
        "as classes, or more"
      )
    if self.pooling != "none" and at is not None:
      raise ValueError(
        f"pooling = {self.pooling!r} with `at`; allowed: at = None"
      )

  def _embed(self, inputs: Array, places: Places) -> Activations:
    dtype = jnp.dtype(self.precision)
    if not self.vocabulary:
      inputs = zero_padding(inputs, places)  # no NaN in the layer's gradient
      return nn.Dense(self.width, dtype=dtype, name="embed")(inputs)
    inputs = readable(inputs, places, self.vocabulary)
    if self.embedding == "one_hot":
      known = (inputs < self.vocabulary)[..., None]
      x = jax.nn.one_hot(inputs, self.width, dtype=dtype)
      return jnp.where(known, x, jnp.nan)
    return self._table()(inputs)

  def _table(self) -> nn.Embed:
    return nn.Embed(
      self.vocabulary,
      self.width,
      dtype=jnp.dtype(self.precision),
      embedding_init=nn.initializers.normal(0.02),
      name="embed",
    )

  def _pool(self, x: Activations, places: Places) -> Float[Array, "b a d"]:
    if self.pooling == "none":
      return x
    valid = places.valid
    count = jnp.sum(valid, axis=1)
    if self.pooling == "mean":
      total = jnp.sum(jnp.where(valid[..., None], x, 0), axis=1)
      mean = total / jnp.maximum(count, 1)[:, None].astype(x.dtype)
      return mean[:, None, :]
    order = jnp.where(valid, jnp.arange(x.shape[1])[None, :], -1)
    if self.pooling == "last":
      at = jnp.argmax(order, axis=1)
    else:
      at = jnp.argmax(valid, axis=1)
    return gather(x, at[:, None])

  def _read_out(self, x: Float[Array, "b a d"]) -> Float[Array, "b a c"]:
    if self.readout == "tied":
      table = self.variables["params"]["embed"]["embedding"]
      return jnp.einsum("bad,cd->bac", x, table[: self.classes])
    return nn.Dense(self.classes, name="readout")(x)
