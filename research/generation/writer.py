"""The two kinds of models that write, behind one interface.

A causal `SequenceModel` goes on with a prompt. An `EncoderDecoder` reads a
source, once, and writes its target.
"""

import dataclasses
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from research.generation.cache import empty, joined, parted, repeated
from research.mixer import Source
from research.models.model import EncoderDecoder, Model
from research.places import Places
from research.shapes import Asked


@dataclasses.dataclass(frozen=True)
class Writer:
  """A model with its parameters, and what it reads besides its own tokens.

  Attributes:
    model: the unbound module.
    variables: its collections, without a cache.
    source: what the encoder made of the source; None without an encoder.
    fixed: the part of the cache that the first call made for all tokens.
  """

  model: Model
  variables: Any
  source: Source | None = None
  fixed: Any = dataclasses.field(default_factory=dict)

  def prefill(
    self, prompt: Int[Array, "b t"], lengths: Int[Array, "b"], room: int
  ) -> tuple["Writer", Float[Array, "b c"], Any]:
    """Reads whole prompts in one call.

    Args:
      prompt: padded on the right.
      lengths: the tokens of each row.
      room: the most tokens that a row of the stream will have.

    Returns:
      A writer that knows what its later calls need not make again, the logits
      behind each prompt, and the cache that `step` goes on with.
    """
    cache = empty(self.model, prompt.shape[0], room, self.source)
    logits, cache = self._read(
      cache,
      prompt,
      right_padded(lengths, prompt.shape[1]),
      lengths[:, None] - 1,
    )
    moving, fixed = parted(cache)
    return dataclasses.replace(self, fixed=fixed), logits, moving

  def step(
    self,
    cache: Any,
    token: Int[Array, "b"],
    position: Int[Array, "b"],
    going: Bool[Array, "b"],
  ) -> tuple[Float[Array, "b c"], Any]:
    """Appends one token to each row that is still going.

    Args:
      cache: as `prefill` or the last step left it.
      token: to be read.
      position: where it stands.
      going: the rows that go on; the cache of others stays as it is.

    Returns:
      The logits behind the token, and the cache.
    """
    places = Places(position[:, None], going[:, None].astype(jnp.int32))
    cache = joined(cache, self.fixed)
    logits, cache = self._read(cache, token[:, None], places, None)
    return logits, parted(cache)[0]

  def anew(
    self, tokens: Int[Array, "b t"], lengths: Int[Array, "b"]
  ) -> Float[Array, "b c"]:
    """The logits behind the first `lengths` tokens, computed without a cache.

    Cost: that of the whole model at the length t.
    """
    places = right_padded(lengths, tokens.shape[1])
    given = tokens, places, lengths[:, None] - 1
    logits: Array = self._apply(self.variables, *given)
    return logits[:, 0]

  def repeated(self, count: int) -> "Writer":
    """The same for so many copies of each row, side by side."""
    return dataclasses.replace(
      self,
      source=repeated(self.source, count),
      fixed=repeated(self.fixed, count),
    )

  def _read(
    self, cache: Any, tokens: Array, places: Places, at: Asked | None
  ) -> tuple[Float[Array, "b c"], Any]:
    variables = {**self.variables, "cache": cache}
    given = tokens, places, at
    logits, new = self._apply(variables, *given, mutable=["cache"])
    return logits[:, 0], new.get("cache", {})

  def _apply(
    self,
    variables: Any,
    tokens: Array,
    places: Places,
    at: Asked | None,
    **how: Any,
  ) -> Any:
    if isinstance(self.model, EncoderDecoder):
      how["method"] = "decode"
      return self.model.apply(
        variables, tokens, places, self.source, at=at, **how
      )
    return self.model.apply(variables, tokens, places, at=at, **how)


def right_padded(lengths: Int[Array, "b"], length: int) -> Places:
  """The places of rows of so many tokens each, padded on the right."""
  index = jnp.arange(length, dtype=jnp.int32)[None, :]
  inside = index < lengths[:, None]
  return Places(jnp.where(inside, index, 0), inside.astype(jnp.int32))
