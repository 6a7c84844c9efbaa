"""Scores are those of the whole lines, read again without a cache."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.attention.layer import Attention
from research.generation.beam import Beam
from research.generation.generate import beams, generate
from research.generation.writer import right_padded
from research.models.encoder_decoder import Decoder, EncoderDecoder
from research.recurrence.gru import GRU
from tests.generation.subjects import (
  LENGTHS,
  MODELS,
  PROMPT,
  SMALL,
  SOURCE,
  B,
  N,
  attentive,
  given,
  small,
  variables_of,
)
from tests.tolerance import assert_close

WIDTH, END = 3, 2
deep = {"layers": 3, "depth": "scanned"}
half = {"precision": "bfloat16"}

SEARCHED = {
  **MODELS,
  "attention": small(Attention(heads=2), **deep),
  "encoder-decoder": attentive(
    decoder=Decoder(GRU(hidden=8), feed_forward=SMALL, **deep)
  ),
}
HALF = {
  "recurrence": small(GRU(hidden=8), **deep, **half),
  "encoder-decoder": attentive(**half),
}


def read_again(model, tokens):
  """The log probabilities [b n c] behind which the tokens [b n] stand."""
  decodes = isinstance(model, EncoderDecoder)
  count = len(tokens) // B
  before = jnp.zeros((B, 1), jnp.int32) if decodes else PROMPT
  lengths = jnp.ones(B, jnp.int32) if decodes else LENGTHS
  before, lengths, source = jax.tree.map(
    lambda leaf: jnp.repeat(leaf, count, axis=0), (before, lengths, SOURCE)
  )
  at = lengths[:, None] + jnp.arange(N)[None]
  inputs = jnp.pad(before, ((0, 0), (0, N)))
  inputs = inputs.at[jnp.arange(len(tokens))[:, None], at].set(tokens)
  logits = model.apply(
    variables_of(model),
    inputs,
    right_padded(lengths + N, inputs.shape[1]),
    at=at - 1,
    **({"source": source} if decodes else {}),
  )
  return jax.nn.log_softmax(logits)


def total(p, tokens, lengths):
  """Of the lines with their ENDs."""
  p = jnp.take_along_axis(p, tokens[..., None], axis=-1)[..., 0]
  return jnp.sum(p * (jnp.arange(N)[None] <= lengths[:, None]), axis=-1)


@pytest.mark.parametrize("name", SEARCHED)
def test_each_line_of_a_beam_has_its_own_cache(name):
  model = SEARCHED[name]
  variables_of(model)

  @jax.jit
  def run():
    found = beams(
      model,
      variables_of(model),
      how=Beam(WIDTH),
      length=N,
      end=END,
      **given(model),
    )
    tokens = found.tokens.reshape(B * WIDTH, N)
    p = read_again(model, tokens)
    return found, total(p, tokens, found.lengths.reshape(-1))

  found, wanted = run()
  assert np.isfinite(found.scores).all()
  assert_close(found.scores.reshape(-1), wanted, level="model")
  lines = {tuple(map(int, line)) for line in found.tokens.reshape(-1, N)}
  assert len(lines) > WIDTH  # rows read different prompts or sources


@pytest.mark.parametrize("name", HALF)
def test_models_of_half_precision_write(name):
  model = HALF[name]
  variables_of(model)

  @jax.jit
  def run():
    found = generate(model, variables_of(model), length=N, **given(model))
    p = read_again(model, found.tokens)
    chosen = jnp.take_along_axis(p, found.tokens[..., None], axis=-1)[..., 0]
    return found.scores, total(p, *found[:2]), chosen, jnp.max(p, axis=-1)

  scores, wanted, chosen, most = run()
  assert scores.dtype == jnp.float32
  half = (scores.astype(jnp.bfloat16), chosen.astype(jnp.bfloat16))
  assert_close(half, (wanted, most), level="model")
