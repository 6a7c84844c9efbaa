"""The sequence model: its forms, put together by hand where they can be."""

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
from research.models.feed_forward import FeedForward, NoFeedForward
from research.models.sequence import SequenceModel
from research.places import Places, gather
from research.positions.learned import LearnedPosition
from tests.tolerance import assert_close

B, T, D, V = 3, 6, 8, 5
KEY = jax.random.key(0)
generator = np.random.default_rng(2)
TOKENS = jnp.asarray(generator.integers(0, V, (B, T)), jnp.int32)
VECTORS = jnp.asarray(generator.normal(size=(B, T, 3)), jnp.float32)
RAGGED = Places(
  jnp.array([[0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 0, 0], [0, 0, 0, 0, 1, 2]]),
  jnp.array([[1] * 6, [1, 1, 1, 1, 0, 0], [0, 0, 0, 1, 1, 1]]),
)
VALID = np.asarray(RAGGED.valid)

small = functools.partial(
  SequenceModel,
  mixer=Attention(heads=2),
  width=D,
  feed_forward=FeedForward(expansion=2),
  vocabulary=V,
  classes=V,
)


@functools.partial(jax.jit, static_argnums=0)
def start(model: nn.Module, inputs: Any, places: Places) -> Any:
  """Parameters, none of them at its round initial value."""
  variables = model.init(KEY, inputs, places)

  def shake(leaf: Any) -> Any:
    wave = jnp.cos(jnp.arange(leaf.size, dtype=jnp.float32))
    return leaf + 0.1 * wave.reshape(leaf.shape)

  return jax.tree.map(shake, variables)


@functools.partial(jax.jit, static_argnums=0)
def run(
  model: nn.Module, variables: Any, inputs: Any, places: Any, at: Any = None
) -> Any:
  return model.apply(variables, inputs, places, at=at)


def layer_norm(parameters: Any, x: Any) -> Any:
  centred = x - x.mean(axis=-1, keepdims=True)
  scale = np.sqrt(np.square(centred).mean(axis=-1, keepdims=True) + 1e-6)
  return centred / scale * parameters["scale"] + parameters["bias"]


def linear(parameters: Any, x: Any) -> Any:
  return x @ parameters["kernel"] + parameters.get("bias", 0.0)


def attention(parameters: Any, x: Any, allowed: np.ndarray) -> np.ndarray:
  heads = [
    linear(parameters[name], x).reshape(B, T, 2, D // 2)
    for name in ("query", "key", "value")
  ]
  scores = np.einsum("bthk,bshk->bhts", *heads[:2]) / np.sqrt(D // 2)
  weights = np.exp(scores) * allowed[:, None]
  total = weights.sum(axis=-1, keepdims=True)
  weights = weights / np.where(total > 0, total, 1)
  y = np.einsum("bhts,bshv->bthv", weights, heads[2]).reshape(B, T, D)
  return linear(parameters["out"], y) * allowed.any(axis=-1)[..., None]


def feed_forward(parameters: Any, x: Any) -> Any:
  y = linear(parameters["hidden"], x)
  inner = np.sqrt(2 / np.pi) * (y + 0.044715 * y**3)
  return linear(parameters["out"], 0.5 * y * (1 + np.tanh(inner)))


def by_hand(parameters: Any, x: Any, norm: str, allowed: np.ndarray) -> Any:
  """Two blocks and the last norm in float64."""
  halves = {
    "mixer": functools.partial(attention, allowed=allowed),
    "feed_forward": feed_forward,
  }
  for block in (parameters["block_0"], parameters["block_1"]):
    for name, half in halves.items():
      y = layer_norm(block[f"{name}_norm"], x) if norm == "pre" else x
      x = x + half(block[name], y)
      x = layer_norm(block[f"{name}_norm"], x) if norm == "post" else x
  return layer_norm(parameters["norm"], x) if norm == "pre" else x


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize(
  ("embedding", "readout"),
  [
    ("learned", "separate"),
    ("learned", "tied"),
    ("one_hot", "separate"),
    ("vectors", "separate"),
  ],
)
def test_the_model_is_what_its_parts_make(norm, embedding, readout):
  vectors = embedding == "vectors"
  model = small(
    norm=norm,
    embedding="learned" if vectors else embedding,
    readout=readout,
    vocabulary=0 if vectors else V,
  )
  inputs = VECTORS if vectors else TOKENS
  variables = start(model, inputs, RAGGED)
  y = run(model, variables, inputs, RAGGED)
  parameters = jax.tree.map(np.float64, variables["params"])
  if vectors:
    x = linear(parameters["embed"], np.float64(inputs))
  elif embedding == "one_hot":
    assert "embed" not in parameters
    x = np.eye(D)[np.asarray(inputs)]
  else:
    x = parameters["embed"]["embedding"][np.asarray(inputs)]
  allowed = np.tri(T, dtype=bool) & VALID[:, :, None] & VALID[:, None, :]
  x = by_hand(parameters, x, norm, allowed)
  if readout == "tied":
    assert "readout" not in parameters
    wanted = x @ parameters["embed"]["embedding"].T
  else:
    wanted = linear(parameters["readout"], x)
  assert y.dtype == jnp.float32
  assert_close(y[VALID], wanted[VALID], level="model")


@pytest.mark.parametrize("classes", [V, 2])
def test_a_tied_readout_trains_the_table_from_both_ends(classes):
  model = small(readout="tied", layers=1, classes=classes)
  variables = start(model, TOKENS, RAGGED)

  @jax.jit
  def slope(variables: Any) -> Any:
    def loss(variables: Any) -> Any:
      y = run(model, variables, jnp.zeros_like(TOKENS), RAGGED)
      assert y.shape[-1] == classes
      return jnp.sum(y[..., 1])

    return jax.grad(loss)(variables)["params"]["embed"]["embedding"]

  # Token 0 is read, class 1 is written, the others are neither.
  moved = np.abs(slope(variables)).max(axis=1) > 1e-6
  np.testing.assert_array_equal(moved, [True, True, False, False, False])


def test_no_feed_forward_leaves_the_mixer_alone():
  model = small(feed_forward=NoFeedForward(), layers=1)
  block = start(model, TOKENS, RAGGED)["params"]["block_0"]
  assert set(block) == {"mixer", "mixer_norm"}


def test_positions_are_told_at_the_input():
  model = small(position=LearnedPosition(length=T), layers=1)
  variables = start(model, TOKENS, RAGGED)
  y = run(model, variables, TOKENS, RAGGED)
  shifted = Places(RAGGED.positions + 1, RAGGED.segments)
  other = run(model, variables, TOKENS, shifted)
  assert np.isnan(other[0, T - 1]).all()  # position 6 is outside the table
  assert (np.abs(other - y)[1, :4] > 1e-4).any()


@pytest.mark.parametrize("pooling", ["mean", "first", "last"])
@pytest.mark.parametrize(
  ("norm", "precision"), [("pre", "bfloat16"), ("post", "float32")]
)
def test_pooling_is_over_the_tokens_alone(pooling, norm, precision):
  fields = {"norm": norm, "precision": precision, "vocabulary": 0}
  pooled, every = small(pooling=pooling, **fields), small(**fields)
  variables = start(every, VECTORS, RAGGED)
  y = run(pooled, variables, VECTORS, RAGGED)
  assert y.shape == (B, 1, V)
  # The readout is affine, so that pooling before it is pooling after it.
  outputs = np.float64(run(every, variables, VECTORS, RAGGED))
  for row in range(B):
    valid = outputs[row, VALID[row]]
    wanted = {"mean": valid.mean(axis=0), "first": valid[0], "last": valid[-1]}
    assert_close(y[row, 0], wanted[pooling], level="model")


def test_pooling_over_nothing_is_finite():
  model = small(pooling="mean")
  nothing = Places(RAGGED.positions, RAGGED.segments.at[1].set(0))
  variables = start(model, TOKENS, nothing)
  assert np.isfinite(run(model, variables, TOKENS, nothing)).all()


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_at_is_gathering_in_value_and_gradient(norm):
  model = small(norm=norm)
  variables = start(model, TOKENS, RAGGED)
  at = jnp.array([[5, 0], [2, 3], [4, 4]])
  weights = jnp.sin(jnp.arange(B * 2 * V, dtype=jnp.float32)).reshape(B, 2, V)

  @functools.partial(jax.jit, static_argnums=1)
  def both(variables: Any, asked: bool) -> Any:
    def loss(variables: Any) -> Any:
      y = run(model, variables, TOKENS, RAGGED, at if asked else None)
      y = y if asked else gather(y, at)
      return jnp.sum(y * weights), y

    return jax.grad(loss, has_aux=True)(variables)

  gradients, y = both(variables, True)
  wanted = both(variables, False)
  assert_close(y, wanted[1], level="model")
  assert_close(gradients, wanted[0], level="model", gradient=True)


def test_the_last_feed_forward_and_the_readout_work_on_what_is_asked_for():
  model = small(layers=1)
  variables = start(model, TOKENS, RAGGED)
  at = jnp.zeros((B, 2), jnp.int32)
  text = str(
    jax.make_jaxpr(functools.partial(model.apply, variables))(
      TOKENS, RAGGED, at=at
    )
  )
  assert f"f32[{B},2,{2 * D}]" in text and f"f32[{B},{T},{2 * D}]" not in text
  assert f"f32[{B},2,{V}]" in text and f"f32[{B},{T},{V}]" not in text


@pytest.mark.parametrize("readout", ["separate", "tied"])
def test_bfloat16_keeps_parameters_and_logits_in_float32(readout):
  model = small(precision="bfloat16", readout=readout, layers=1)
  variables = start(model, TOKENS, RAGGED)
  assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(variables))
  # Numbers that bfloat16 has too, so that only the computation differs.
  variables = jax.tree.map(
    lambda leaf: leaf.astype(jnp.bfloat16).astype(jnp.float32), variables
  )
  y = run(model, variables, TOKENS, RAGGED)
  assert y.dtype == jnp.float32
  wanted = run(small(readout=readout, layers=1), variables, TOKENS, RAGGED)
  assert (y != wanted).any()
  assert_close(y[VALID].astype(jnp.bfloat16), wanted[VALID], level="model")


class Witness(Mixer):
  """Gives back what it was given."""

  def __call__(self, x: Any, places: Places, **given: Any) -> Any:
    return x


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_a_mixer_is_given_zeros_on_padding(norm):
  model = small(mixer=Witness(), norm=norm, layers=1)
  variables = start(model, TOKENS, RAGGED)
  block = Block(Witness(), NoFeedForward(), norm)
  x = jnp.cos(jnp.arange(B * T * D, dtype=jnp.float32)).reshape(B, T, D)
  norms = {"mixer_norm": variables["params"]["block_0"]["mixer_norm"]}
  y = np.asarray(run(block, {"params": norms}, x, RAGGED))
  silent = np.asarray(norms["mixer_norm"]["bias"]) * (norm == "post")
  np.testing.assert_array_equal(y[~VALID], np.tile(silent, (5, 1)))
  assert (y[VALID] != silent).any()


@pytest.mark.parametrize("poison", [1e9, np.nan])
def test_padding_does_not_leak(poison):
  model = small(vocabulary=0)
  variables = start(model, VECTORS, RAGGED)

  @jax.jit
  def both(x: Any) -> Any:
    def loss(variables: Any, x: Any) -> Any:
      y = run(model, variables, x, RAGGED)
      return jnp.sum(jnp.where(RAGGED.valid[..., None], jnp.sin(y), 0.0)), y

    return jax.grad(loss, argnums=(0, 1), has_aux=True)(variables, x)

  gradients, y = both(jnp.where(VALID[..., None], VECTORS, poison))
  wanted, clean = both(jnp.where(VALID[..., None], VECTORS, 0.0))
  np.testing.assert_array_equal(y[VALID], clean[VALID])
  jax.tree.map(np.testing.assert_array_equal, gradients, wanted)
  assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients))
