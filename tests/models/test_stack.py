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
  block = Block(
    Adding(), NoFeedForward(), "none", residual=False, stochastic_depth=0.5
  )
  x = jnp.ones((64, T, D))
  variables = block.init(jax.random.key(0), x, whole(x))
  run = functools.partial(block.apply, variables, x, whole(x))
  y = run(deterministic=False, rngs={"dropout": jax.random.key(1)})
  whole_rows = np.asarray(run())
  kept = np.asarray(y)[:, 0, 0] != 0
  assert 16 < kept.sum() < 48
  np.testing.assert_array_equal(y[kept], 2 * whole_rows[kept])
  np.testing.assert_array_equal(y[~kept], 0)


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
