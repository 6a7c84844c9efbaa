"""Streams that another model began are refused."""

import re

import jax
import jax.numpy as jnp
import pytest

from research.attention.layer import Attention
from research.models.encoder_decoder import Decoder
from research.places import whole
from research.recurrence.gru import GRU
from tests.generation.subjects import (
  MODELS,
  SMALL,
  SOURCE,
  B,
  attentive,
  given,
  small,
)


def go_on(model, cache, *source):
  """Shapes of one more token behind what the cache holds."""
  token = jnp.zeros((B, 1), jnp.int32)
  more = {"method": "decode"} if source else {}

  def step(cache):
    here = (token, whole(token), *source)
    variables = model.init(jax.random.key(3), *here, **more)
    variables = {**variables, "cache": cache}
    return model.apply(variables, *here, mutable=["cache"], **more)

  return jax.eval_shape(step, cache)


@pytest.mark.parametrize("name", MODELS)
def test_a_cache_of_another_model_or_batch_size_is_refused(name):
  model = MODELS[name]
  other = {"recurrence": small(GRU(hidden=3), layers=1)}
  wide = other.get(name, model.copy(width=16))
  read, wider = ((), ())
  if "source" in given(model):
    read, wider = (((jnp.zeros((B, 4, d)), SOURCE[1]),) for d in (8, 16))
  cache = model.start(B, 6, *read)
  go_on(model, cache, *read)
  fewer = jax.tree.map(lambda leaf: leaf[:2], cache)
  for wrong in (fewer, wide.start(B, 6, *wider)):
    with pytest.raises(
      ValueError, match=r"cache\..*block_0\..* has shape \(.*; allowed: \("
    ):
      go_on(model, wrong, *read)


def of(layers=2, **fields):
  return small(Attention(heads=2), layers=layers, **fields)


def with_one_leaf_more(cache, path):
  if not path:
    return {**cache, "more": jnp.zeros_like(jax.tree.leaves(cache)[0])}
  return {**cache, path[0]: with_one_leaf_more(cache[path[0]], path[1:])}


CACHES = {
  "fewer layers": (of(2), of(1), "cache lacks block_1.mixer."),
  "more layers": (of(1), of(2), "cache has block_1.mixer."),
  "another mixer": (of(1), small(GRU(), layers=1), ".block_0 lacks mixer.used"),
  "unrolled": (of(3, depth="scanned"), of(3), "cache lacks blocks.mixer."),
  "scanned": (of(3), of(3, depth="scanned"), "cache lacks block_0.mixer."),
  "another precision": (
    of(1, precision="bfloat16"),
    of(1),
    "cache.block_0.mixer.keys has dtype float32; allowed: bfloat16",
  ),
  "more of a block": (
    of(3, depth="scanned", remat=True),
    ("blocks", "mixer"),
    "cache.blocks has mixer.more; allowed: a cache of this model",
  ),
  "more of a cross-attention": (
    attentive(),
    ("decoder", "block_0", "cross"),
    "cache.decoder.block_0 has cross.more; allowed: a cache of this model",
  ),
  "another decoder": (
    attentive(),
    attentive(decoder=Decoder(Attention(heads=2), 2, SMALL)),
    "cache has decoder.block_1.",
  ),
}
"""A model, the one whose cache it is given (or where its own has a leaf more),
and what it says to that."""


@pytest.mark.parametrize("name", CACHES)
def test_a_cache_of_another_form_is_refused(name):
  model, other, message = CACHES[name]
  read = (
    ((jnp.zeros((B, 4, 8)), SOURCE[1]),) if "source" in given(model) else ()
  )
  if isinstance(other, tuple):
    cache = with_one_leaf_more(model.start(B, 6, *read), other)
  else:
    cache = other.start(B, 6, *read)
  with pytest.raises(ValueError, match=re.escape(message)):
    go_on(model, cache, *read)
