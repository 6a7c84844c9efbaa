"""Greedy decoding as a contender: tokens one by one, with a cache."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from research.attention.layer import Attention
from research.bench.compilation import compilations
from research.generation.generate import generate
from research.generation.greedy import Greedy
from research.masks import Full
from research.models.encoder_decoder import Decoder, Encoder, EncoderDecoder
from research.models.sequence import SequenceModel
from research.places import whole
from research.positions.learned import LearnedPosition

LAYERS = 4
WIDTH = 256
HEADS = 4
VOCABULARY = 512
TOKENS = 128
SOURCE = 64


def model(form: str) -> SequenceModel | EncoderDecoder:
  """The decoder alone, or the pair of an encoder and a decoder.

  Args:
    form: "decoder" or "pair".
  """
  table = LearnedPosition(length=TOKENS)
  sizes: dict[str, Any] = {
    "width": WIDTH,
    "vocabulary": VOCABULARY,
    "classes": VOCABULARY,
  }
  mixer = Attention(heads=HEADS)
  if form == "decoder":
    return SequenceModel(mixer=mixer, layers=LAYERS, position=table, **sizes)
  both = Attention(heads=HEADS, mask=Full())
  return EncoderDecoder(
    encoder=Encoder(mixer=both, layers=LAYERS),
    decoder=Decoder(mixer=mixer, layers=LAYERS, cross=both),
    source_position=LearnedPosition(length=SOURCE),
    target_position=table,
    **sizes,
  )


def prepare(form: str, batch: int) -> Callable[[int], int]:
  """Compiles and warms up; the function writes tokens and tells how many.

  Args:
    form: whose, and of which model: "ours-decoder", "torch-pair", or with one
      thread "single-pair"; or whose compilations are counted instead of
      tokens: "compiled-decoder".
    batch: the rows written side by side.
  """
  whose, kind = form.split("-")
  if whose in ("torch", "single"):
    from research.bench.torch_decoding import prepare as peer

    return peer(kind, batch, 1 if whose == "single" else None)
  variables, given = _inputs(kind, batch)
  if whose == "compiled":
    return compilations(
      lambda variables, given: _write(kind, variables, given), variables, given
    )

  def tokens(number: int) -> int:
    lines = max(number // (batch * TOKENS), 1)
    for _ in range(lines):
      jax.block_until_ready(_write(kind, variables, given))
    return lines * batch * TOKENS

  tokens(1)
  return tokens


def _inputs(kind: str, batch: int) -> tuple[Any, dict[str, Any]]:
  """Parameters, and what is read before the first token."""
  first = jnp.zeros((batch, 1), jnp.int32)
  given: dict[str, Any] = {"prompt": first}
  more: dict[str, Any] = {}
  if kind == "pair":
    shape = batch, SOURCE
    tokens = jax.random.randint(jax.random.key(0), shape, 0, VOCABULARY)
    given["source"] = more["source"] = tokens, whole(tokens)
  make = jax.jit(lambda key: model(kind).init(key, first, whole(first), **more))
  return make(jax.random.key(1)), given


def _write(kind: str, variables: Any, given: dict[str, Any]) -> Any:
  return generate(
    model(kind), variables, how=Greedy(), length=TOKENS, **given
  ).tokens
