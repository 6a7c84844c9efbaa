"""Stacks of blocks: where norms stand, what is added, what is left out."""

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.attention.layer import Attention
from research.mixer import Mixer
from research.models.block import Block
from research.models.encoder_decoder import Encoder
from research.models.feed_forward import FeedForward, NoFeedForward
from research.models.hybrid import Hybrid
from research.models.norms import LayerNorm, RMSNorm
from research.models.sequence import SequenceModel
from research.places import Places, whole
from research.recurrence.gru import GRU
from research.recurrence.lstm import LSTM
from tests.formula import assert_is
from tests.tolerance import assert_close

B, T, D = 3, 5, 4
KEY = jax.random.key(0)
X = np.random.default_rng(4).normal(size=(B, T, D)).astype(np.float32)


class Adding(Mixer):
  """y_t = w ⊙ Σ_{s ≤ t} x_s: nothing that a test of stacks need not know."""

  @property
  def causal(self) -> bool:
    return True

  @nn.compact
  def __call__(self, x: Any, places: Places, **given: Any) -> Any:
    w = self.param("w", nn.initializers.ones_init(), (D,))
    return jnp.cumsum(x, axis=1) * w[None, None, :]


def normed(kind: Any, parameters: Any, x: Any) -> Any:
  if isinstance(kind, LayerNorm):
    x = x - x.mean(axis=-1, keepdims=True)
  x = x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + kind.epsilon)
  return x * parameters["scale"] + parameters.get("bias", 0.0)


def silu(x: Any) -> Any:
  return x / (1 + np.exp(-x))


def gated(parameters: Any, x: Any) -> Any:
  hidden = silu(x @ parameters["hidden"]["kernel"])
  hidden = hidden * (x @ parameters["gate"]["kernel"])
  return hidden @ parameters["out"]["kernel"]


def stacked(encoder: Encoder, parameters: Any, x: Any) -> Any:
  """Halves and norms in the order that `encoder.norm` says."""
  before, after = {
    "pre": (True, False),
    "post": (False, False),
    "sandwich": (True, True),
    "none": (False, False),
  }[encoder.norm]
  norm = functools.partial(normed, encoder.normalization)
  for layer in range(encoder.layers):
    block = parameters[f"block_{layer}"]
    for name in ("mixer", "feed_forward"):
      y = norm(block[f"{name}_norm"], x) if before else x
      if name == "mixer":
        y = np.cumsum(y, axis=1) * block["mixer"]["w"]
      else:
        y = gated(block["feed_forward"], y)
      y = norm(block[f"{name}_out_norm"], y) if after else y
      x = x + y if encoder.residual else y
      if encoder.norm == "post":
        x = norm(block[f"{name}_norm"], x)
  return norm(parameters["norm"], x) if before else x


@pytest.mark.parametrize(
  ("norm", "normalization", "residual"),
  [
    ("pre", RMSNorm(), True),
    ("post", LayerNorm(1e-5), False),
    ("sandwich", RMSNorm(1e-3), True),
    ("none", LayerNorm(), True),
    ("none", LayerNorm(), False),
  ],
)
def test_blocks_are_the_formula(norm, normalization, residual):
  encoder = Encoder(
    mixer=Adding(),
    layers=2,
    feed_forward=FeedForward(1, "silu", gated=True, bias=False),
    norm=norm,
    normalization=normalization,
    residual=residual,
  )
  formula = functools.partial(stacked, encoder)
  assert_is(encoder, formula, X, moved=0.3)


def test_stochastic_depth_leaves_a_half_out_of_whole_rows():
  block = Block(Adding(), NoFeedForward(), "none", stochastic_depth=0.75)
  x = jnp.ones((64, T, D))
  variables = block.init(jax.random.key(0), x, whole(x))
  run = functools.partial(block.apply, variables, x, whole(x))
  y = run(deterministic=False, rngs={"dropout": jax.random.key(1)})
  added = np.asarray(y) - 1
  kept = added[:, 0, 0] != 0
  assert 6 < kept.sum() < 28
  np.testing.assert_array_equal(added[kept], 4 * (np.asarray(run()) - 1)[kept])
  np.testing.assert_array_equal(added[~kept], 0)


class Ones(Mixer):
  """One everywhere: blocks add up what was not dropped."""

  def __call__(self, x: Any, places: Places, **given: Any) -> Any:
    return jnp.ones_like(x)


@pytest.mark.parametrize("rate", ["dropout", "stochastic_depth"])
@pytest.mark.parametrize("remat", [False, True])
@pytest.mark.parametrize("depth", ["unrolled", "scanned"])
def test_every_block_drops_by_itself(depth, remat, rate):
  kinds = {"feed_forward": NoFeedForward(), "norm": "none", "depth": depth}
  encoder = Encoder(Ones(), 4, remat=remat, **kinds, **{rate: 0.5})
  x = jnp.zeros((256, 2, 2))
  rngs = {"dropout": KEY}
  y = encoder.apply({}, x, whole(x), deterministic=False, rngs=rngs)
  kept, counts = np.unique(np.asarray(y)[:, 0, 0] / 2, return_counts=True)
  # Of four, as often as independent halves are: 1, 4, 6, 4, 1 of 16.
  assert kept.tolist() == [0, 1, 2, 3, 4]
  wanted = 16 * np.array([1, 4, 6, 4, 1])
  assert np.abs(counts - wanted).max() < 36


@pytest.mark.parametrize("make", [Block, Encoder])
def test_stochastic_depth_leaves_no_row_without_anything(make):
  message = "stochastic_depth = 0.5 with residual = False .*; allowed: 0.0, or"
  with pytest.raises(ValueError, match=message):
    make(Adding(), residual=False, stochastic_depth=0.5)


@pytest.mark.parametrize(
  ("depth", "layers", "apart"),
  [("unrolled", 2, 2), ("scanned", 1, 1), ("scanned", 2, 2), ("scanned", 3, 1)],
)
def test_forgetful_blocks_are_computed_apart(depth, layers, apart):
  # A barrier hides from the compiler that a block is computed twice. Blocks
  # in a loop of several turns need none.
  x = jnp.asarray(X)

  def barriers(remat: bool) -> int:
    kinds = {"depth": depth, "remat": remat}
    encoder = Encoder(Adding(), layers, FeedForward(1), **kinds)
    variables = jax.eval_shape(encoder.init, KEY, x, whole(x))

    def loss(variables: Any) -> Any:
      return jnp.sum(jnp.sin(encoder.apply(variables, x, whole(x))))

    lowered = jax.jit(jax.grad(loss)).lower(variables)
    return lowered.as_text().count("optimization_barrier")

  assert (barriers(remat=False), barriers(remat=True)) == (0, apart)


@pytest.mark.parametrize("mixer", [Attention(heads=2), GRU()])
def test_scanned_and_forgetful_blocks_are_the_others(mixer):
  """Values, gradients and the stream; the numbers are given to both."""
  make = functools.partial(
    SequenceModel, mixer, layers=3, width=D, vocabulary=5, classes=5
  )
  plain, deep = make(), make(depth="scanned", remat=True)
  tokens = jnp.arange(B * T).reshape(B, T) % 5

  @jax.jit
  def run() -> Any:
    variables = deep.init(jax.random.key(0), tokens, whole(tokens))
    blocks = dict(variables["params"])
    stack = blocks.pop("blocks")
    for i in range(2):
      blocks[f"block_{i}"] = jax.tree.map(lambda leaf, i=i: leaf[i], stack)
    found = slope(deep, variables)
    wanted = slope(plain, {"params": blocks})
    slopes = [found[0]["blocks"]["mixer"], wanted[0]["block_1"]["mixer"]]
    stream = {**variables, "cache": deep.start(B, T)}
    parts = []
    for i, j in ((0, 2), (2, 5)):
      part = tokens[:, i:j]
      y, new = deep.apply(stream, part, whole(part, i), mutable=["cache"])
      stream = {**variables, "cache": new["cache"]}
      parts.append(y)
    return found[1], wanted[1], slopes, jnp.concatenate(parts, axis=1)

  def slope(model: Any, variables: Any) -> Any:
    def loss(parameters: Any) -> Any:
      y = model.apply({"params": parameters}, tokens, whole(tokens))
      return jnp.sum(jnp.sin(y)), y

    return jax.grad(loss, has_aux=True)(variables["params"])

  found, wanted, slopes, parts = run()
  assert_close(found, wanted, level="model")
  assert_close(parts, wanted, level="model")
  second = jax.tree.map(lambda leaf: leaf[1], slopes[0])
  assert_close(second, slopes[1], level="model", gradient=True)


def test_a_pattern_over_depth_is_not_scanned():
  with pytest.raises(ValueError, match="depth = 'scanned' with mixer = Hybrid"):
    Encoder(mixer=Hybrid((LSTM(), GRU())), depth="scanned")
