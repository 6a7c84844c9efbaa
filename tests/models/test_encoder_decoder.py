"""The encoder–decoder: its parts put together, its stream, its refusals."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.attention.layer import Attention
from research.masks import Full
from research.models.encoder_decoder import Decoder, Encoder, EncoderDecoder
from research.models.feed_forward import FeedForward
from research.models.front import Subsampling
from research.models.norms import RMSNorm
from research.places import Places, gather, whole
from research.positions.learned import LearnedPosition
from research.recurrence.bidirectional import Bidirectional
from research.recurrence.gru import GRU
from research.recurrence.lstm import LSTM
from tests.tolerance import assert_close

B, S, T, D, C = 2, 6, 5, 8, 7
generator = np.random.default_rng(3)
SOURCE = jnp.asarray(generator.integers(0, C, (B, S)), jnp.int32)
FRAMES = jnp.asarray(generator.normal(size=(B, S, 3)), jnp.float32)
TARGET = jnp.asarray(generator.integers(0, C, (B, T)), jnp.int32)
RAGGED = Places(
  jnp.array([[0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 0, 0]]),
  jnp.array([[1] * 6, [1, 1, 1, 1, 0, 0]]),
)
SMALL = FeedForward(expansion=2)

small = functools.partial(
  EncoderDecoder,
  encoder=Encoder(mixer=Attention(heads=2, mask=Full()), feed_forward=SMALL),
  decoder=Decoder(mixer=Attention(heads=2), feed_forward=SMALL),
  width=D,
  vocabulary=C,
  classes=C,
)

MODELS = {
  "pre": small(),
  "all tables one": small(tied="all"),
  "tied, post, RMS": small(
    tied="readout",
    encoder=Encoder(norm="post", normalization=RMSNorm(), feed_forward=SMALL),
    decoder=Decoder(norm="post", normalization=RMSNorm(), feed_forward=SMALL),
  ),
  "recurrent": small(
    encoder=Encoder(mixer=Bidirectional(LSTM(), LSTM(reverse=True)), layers=1),
    decoder=Decoder(mixer=LSTM(), layers=1, norm="sandwich"),
  ),
  "scanned": small(
    encoder=Encoder(layers=3, depth="scanned", feed_forward=SMALL),
    decoder=Decoder(layers=3, depth="scanned", remat=True, feed_forward=SMALL),
  ),
  "frames": small(
    vocabulary=0, front=Subsampling(layers=1), decoder=Decoder(residual=False)
  ),
}


def source_of(model: EncoderDecoder) -> tuple[Any, Places]:
  return (SOURCE if model.vocabulary else FRAMES), RAGGED


@functools.cache
def start(name: str) -> Any:
  model = MODELS[name]
  make = jax.jit(
    lambda: model.init(
      jax.random.key(0), TARGET, whole(TARGET), source=source_of(model)
    )
  )
  return make()


@pytest.mark.parametrize("name", MODELS)
def test_token_by_token_is_all_at_once(name):
  model, variables = MODELS[name], start(name)

  @jax.jit
  def both(variables: Any) -> Any:
    source = source_of(model)
    wanted = model.apply(variables, TARGET, whole(TARGET), source=source)
    memory = model.apply(variables, *source, method="encode")
    cache = model.start(B, T, memory)
    parts = []
    for i, j in ((0, 2), (2, 3), (3, 5)):
      tokens = TARGET[:, i:j]
      y, new = model.apply(
        {**variables, "cache": cache},
        tokens,
        whole(tokens, i),
        memory,
        method="decode",
        mutable=["cache"],
      )
      cache = new["cache"]
      parts.append(y)
    at = jnp.array([[4, 1], [0, 3]])
    asked = model.apply(variables, TARGET, whole(TARGET), source=source, at=at)
    return wanted, jnp.concatenate(parts, axis=1), asked, gather(wanted, at)

  wanted, parts, asked, gathered = both(variables)
  assert wanted.shape == (B, T, C)
  assert_close(parts, wanted, level="model")
  assert_close(asked, gathered, level="model")


def test_every_leaf_of_the_cache_begins_with_the_batch():
  for name, model in MODELS.items():
    memory = jax.eval_shape(
      lambda v, m=model: m.apply(v, *source_of(m), method="encode"),
      start(name),
    )
    for leaf in jax.tree.leaves(model.start(B, T, memory)):
      assert leaf.shape[0] == B


def slope(model: EncoderDecoder, variables: Any) -> Any:
  """Of the outputs of the second token, by the frames of the source."""
  source, places = source_of(model)

  def outputs(frames: Any) -> Any:
    given = {"inputs": TARGET, "places": whole(TARGET)}
    return model.apply(variables, **given, source=(frames, places))[:, 1]

  return jax.jacobian(outputs)(source)


def test_the_decoder_reads_the_valid_source_and_nothing_else():
  model, variables = MODELS["frames"], start("frames")
  slopes = jax.jit(functools.partial(slope, model))(variables)
  seen = np.abs(slopes).sum(axis=(1, 4))  # row of output, of source, frame
  assert (seen[0, 0] > 0).all()
  assert (seen[1, 1, :4] > 0).all()
  assert (seen[1, 1, 4:] == 0).all()
  assert (seen[0, 1] == 0).all() and (seen[1, 0] == 0).all()


def test_scanned_blocks_are_the_unrolled_ones():
  scanned, variables = MODELS["scanned"], start("scanned")
  plain = scanned.copy(
    encoder=scanned.encoder.copy(depth="unrolled"),
    decoder=scanned.decoder.copy(depth="unrolled", remat=False),
  )
  parameters = dict(variables["params"])
  for part in ("encoder", "decoder"):
    blocks = dict(parameters[part])
    stacked = blocks.pop("blocks")
    for i in range(2):
      blocks[f"block_{i}"] = jax.tree.map(lambda leaf, i=i: leaf[i], stacked)
    parameters[part] = blocks

  @functools.partial(jax.jit, static_argnums=0)
  def run(model: Any, variables: Any) -> Any:
    def loss(variables: Any) -> Any:
      source = source_of(model)
      y = model.apply(variables, TARGET, whole(TARGET), source=source)
      return jnp.sum(jnp.sin(y)), y

    slopes, y = jax.grad(loss, has_aux=True)(variables)
    return y, slopes["params"]["decoder"]["norm"]

  found = run(scanned, variables)
  wanted = run(plain, {"params": parameters})
  assert_close(found[0], wanted[0], level="model")
  assert_close(found[1], wanted[1], level="model", gradient=True)


@pytest.mark.parametrize(
  ("make", "message"),
  [
    (lambda: Decoder(cross=GRU()), "cross = GRU; allowed: Attention"),
    (
      lambda: Decoder(cross=Attention(heads=2)),
      r"cross = Attention\(mask=Causal\(\)\) is causal.*; allowed: a mask that",
    ),
    (
      lambda: decoded_without_a_source(),
      "source = None with cross = Attention; allowed: ",
    ),
    (lambda: small(tied="both"), "tied = 'both'; allowed: 'none', 'readout'"),
    (lambda: small(width=0), "width = 0; allowed: 1 or more"),
    (lambda: small(dropout=1.0), "dropout = 1.0; allowed: 0 to below 1"),
    (lambda: Subsampling(stride=0), "stride = 0; allowed: 1 or more"),
    (lambda: RMSNorm(epsilon=0.0), "epsilon = 0.0; allowed: above 0"),
    (
      lambda: built(small(tied="all", vocabulary=5)),
      "tied = 'all' with vocabulary 5 and classes 7; allowed: a source of as",
    ),
    (
      lambda: built(small(vocabulary=0)),
      "vocabulary = 0 with a source of int32; allowed: 1 or more for tokens",
    ),
    (lambda: built(small(classes=0)), "classes = 0; allowed: 1 or more, as"),
  ],
)
def test_refused(unchecked, make, message):
  with pytest.raises(ValueError, match=message):
    make()


def test_positions_of_both_sides_have_their_own_tables():
  one, two = LearnedPosition(8), LearnedPosition(8)
  shared = built(small(source_position=one, target_position=one))
  assert shared == built(small(source_position=one, target_position=two))
  assert {"source_position", "target_position"} <= {*shared["params"]}


def decoded_without_a_source() -> Any:
  return jax.eval_shape(
    lambda: small().init(
      jax.random.key(0), TARGET, whole(TARGET), None, method="decode"
    )
  )


def built(model: EncoderDecoder) -> Any:
  return jax.eval_shape(
    lambda: model.init(
      jax.random.key(0), TARGET, whole(TARGET), source=(SOURCE, RAGGED)
    )
  )


def test_a_decoder_that_looks_ahead_does_not_stream():
  model = small(decoder=Decoder(mixer=Attention(mask=Full())))
  memory = jnp.zeros((B, S, D)), RAGGED
  with pytest.raises(ValueError, match="not causal; allowed: causal mixers"):
    model.start(B, T, memory)
