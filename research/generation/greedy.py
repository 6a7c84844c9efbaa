"""Greedy decoding: the most likely token at every step."""

import dataclasses
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from research.field_types import check_types
from research.generation.base import Generated, Request, Way
from research.generation.loop import one_by_one
from research.generation.writer import Writer


@dataclasses.dataclass(frozen=True)
class Greedy(Way):
  """argmax of the logits; the lowest of several that are alike.

  Cost: a step of the model a token, or with `cached=False` a whole sequence
  of the full length a token.

  Attributes:
    cached: whether a cache is carried from token to token. Without, all is
      computed anew for every token, as the model was trained. That is the
      reference, and the only way to write with a model that is not causal.
  """

  cached: bool = True

  def __post_init__(self) -> None:
    check_types(self, "cached")

  @property
  def streams(self) -> bool:
    return self.cached

  def write(self, writer: Writer, request: Request) -> Generated:
    if not self.cached:
      return _written_anew(writer, request)
    writer, logits, cache = writer.prefill(
      request.prompt, request.lengths, request.room
    )
    return one_by_one(writer.step, logits, cache, request, _likeliest)


def _likeliest(
  logits: Float[Array, "b c"], count: Int[Array, ""]
) -> Int[Array, "b"]:
  return jnp.argmax(logits, axis=-1)


def _written_anew(writer: Writer, request: Request) -> Generated:
  """The state is all tokens so far, padded to the length they may have."""
  rows = jnp.arange(request.batch)

  def read(
    tokens: Int[Array, "b t"],
    token: Int[Array, "b"],
    position: Int[Array, "b"],
    going: Bool[Array, "b"],
  ) -> tuple[Float[Array, "b c"], Any]:
    tokens = tokens.at[rows, position].set(token)
    return writer.anew(tokens, position + 1), tokens

  more = ((0, 0), (0, request.length - 1))
  tokens = jnp.pad(request.prompt, more)
  logits = writer.anew(tokens, request.lengths)
  return one_by_one(read, logits, tokens, request, _likeliest)
