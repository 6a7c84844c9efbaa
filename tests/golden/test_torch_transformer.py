"""The encoder–decoder against `torch.nn.Transformer`, value and gradient.

In both placements torch's model has a norm behind each of its two stacks;
Vaswani 2017 has none for "post".
"""

from typing import Any

import jax
import jax.numpy as jnp
import pytest

from research.attention.layer import Attention
from research.masks import Full
from research.models.encoder_decoder import Decoder, Encoder
from research.models.feed_forward import FeedForward
from research.models.norms import LayerNorm
from tests.golden.reading import (
  Inputs,
  check,
  dense,
  golden,
  layer,
  linear,
  norm,
  ragged,
)

EPSILON = 1e-5
HALVES = {
  "encoder": {"mixer": "self_attn"},
  "decoder": {"mixer": "self_attn", "cross": "multihead_attn"},
}


def attention(inputs: Inputs, name: str) -> dict[str, Any]:
  """Of our layer, from those of torch's, which keeps three in one."""
  weights = jnp.split(inputs[f"{name}.in_proj_weight"], 3)
  biases = jnp.split(inputs[f"{name}.in_proj_bias"], 3)
  layers = {
    ours: linear(*both)
    for ours, *both in zip(
      ("query", "key", "value"), weights, biases, strict=True
    )
  }
  return layers | {"out": dense(inputs, f"{name}.out_proj")}


def block(inputs: Inputs, names: dict[str, str]) -> dict[str, Any]:
  """Of a block. Torch numbers its norms in the order of the halves."""
  halves = {ours: attention(inputs, name) for ours, name in names.items()}
  halves["feed_forward"] = {
    "hidden": dense(inputs, "linear1"),
    "out": dense(inputs, "linear2"),
  }
  norms = {
    f"{ours}_norm": norm(inputs, f"norm{number}")
    for number, ours in enumerate(halves, start=1)
  }
  return halves | norms


def through(inputs: Inputs, stack: Encoder | Decoder, *given: Any) -> jax.Array:
  """Through a stack of ours with torch's parameters."""
  kind = type(stack).__name__.lower()
  params = {
    f"block_{number}": block(
      layer(inputs, f"{kind}.layers.", number), HALVES[kind]
    )
    for number in range(stack.layers)
  }
  params["norm"] = norm(inputs, f"{kind}.norm")
  return stack.apply({"params": params}, *given)


def model(inputs: Inputs, name: str) -> jax.Array:
  """Our two stacks, one after the other; zero where nothing was written."""
  fields = {
    "norm": name.removeprefix("transformer_"),
    "last_norm": "yes",
    "normalization": LayerNorm(EPSILON),
    "feed_forward": FeedForward(
      expansion=2,
      activation="relu" if name == "transformer_post" else "exact_gelu",
    ),
  }
  across = Attention(heads=2, mask=Full(), bias=True)
  encoder = Encoder(mixer=across, **fields)
  decoder = Decoder(mixer=Attention(heads=2, bias=True), cross=across, **fields)
  read, written = (ragged(golden(name)[x]) for x in ("read", "written"))
  memory = through(inputs, encoder, inputs["source"], read)
  given = inputs["target"], written, (memory, read)
  y = through(inputs, decoder, *given)
  return jnp.where(written.valid[..., None], y, 0)


@pytest.mark.parametrize("name", ["transformer_post", "transformer_pre"])
def test_encoder_decoder(name):
  check(name, lambda inputs: model(inputs, name), level="model")
