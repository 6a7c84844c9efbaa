"""Whole models against BERT, GPT-2 and T5 of Transformers, value and gradient.

Outputs on padding are left out: theirs are what attention makes of it.
"""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from research.attention.layer import Attention
from research.masks import Causal, Full, Mask
from research.models.encoder_decoder import Decoder, Encoder, EncoderDecoder
from research.models.feed_forward import FeedForward
from research.models.norms import LayerNorm, RMSNorm
from research.models.sequence import SequenceModel
from research.positions.learned import LearnedPosition
from research.positions.none import NoPosition
from research.positions.t5 import T5Buckets
from research.scores.plain import DotProduct
from tests.golden.reading import (
  Inputs,
  check,
  dense,
  golden,
  layer,
  norm,
  ragged,
)


def counted(y: jax.Array, name: str) -> jax.Array:
  """Zero on padding."""
  return jnp.where(jnp.asarray(golden(name)["valid"])[..., None], y, 0)


def bert_block(inputs: Inputs) -> dict[str, Any]:
  """Of a block, from the parameters of a layer of BERT."""
  here = "attention.self."
  mixer = {x: dense(inputs, here + x) for x in ("query", "key", "value")}
  return {
    "mixer": mixer | {"out": dense(inputs, "attention.output.dense")},
    "mixer_norm": norm(inputs, "attention.output.LayerNorm"),
    "feed_forward": {
      "hidden": dense(inputs, "intermediate.dense"),
      "out": dense(inputs, "output.dense"),
    },
    "feed_forward_norm": norm(inputs, "output.LayerNorm"),
  }


def bert(inputs: Inputs) -> jax.Array:
  """Our encoder behind BERT's embeddings, which are three and a norm."""
  file = golden("bert")
  key = "encoder.layer.attention.self.key.bias"
  inputs = {**inputs, key: jnp.asarray(file[key])}
  words, positions, types = (
    inputs[f"embeddings.{x}_embeddings.weight"]
    for x in ("word", "position", "token_type")
  )
  x = words[file["input_ids"]] + types[file["token_type_ids"]]
  x = x + positions[None, : x.shape[1]]
  first = {"params": norm(inputs, "embeddings.LayerNorm")}
  x = nn.LayerNorm(epsilon=1e-12).apply(first, x)
  encoder = Encoder(
    mixer=Attention(heads=2, mask=Full(), bias=True),
    feed_forward=FeedForward(expansion=2, activation="exact_gelu"),
    norm="post",
    normalization=LayerNorm(1e-12),
  )
  params = {
    f"block_{number}": bert_block(layer(inputs, "encoder.layer.", number))
    for number in range(2)
  }
  y = encoder.apply({"params": params}, x, ragged(file["valid"]))
  return counted(y, "bert")


def test_bert():
  check("bert", bert, level="model")


def conv(inputs: Inputs, name: str) -> dict[str, Any]:
  """The parameters of a `Conv1D`, whose matrix is not transposed."""
  return {"kernel": inputs[f"{name}.weight"], "bias": inputs[f"{name}.bias"]}


def gpt2_block(inputs: Inputs) -> dict[str, Any]:
  """Of a block, from the parameters of a layer of GPT-2."""
  both = conv(inputs, "attn.c_attn")
  parts = (jnp.split(leaf, 3, axis=-1) for leaf in both.values())
  mixer = {
    name: {"kernel": kernel, "bias": bias}
    for name, kernel, bias in zip(
      ("query", "key", "value"), *parts, strict=True
    )
  }
  return {
    "mixer": mixer | {"out": conv(inputs, "attn.c_proj")},
    "mixer_norm": norm(inputs, "ln_1"),
    "feed_forward": {
      "hidden": conv(inputs, "mlp.c_fc"),
      "out": conv(inputs, "mlp.c_proj"),
    },
    "feed_forward_norm": norm(inputs, "ln_2"),
  }


def gpt2(inputs: Inputs) -> jax.Array:
  """The whole of GPT-2 is a sequence model."""
  file = golden("gpt2")
  model = SequenceModel(
    mixer=Attention(heads=2, bias=True),
    feed_forward=FeedForward(expansion=2),
    normalization=LayerNorm(1e-5),
    width=4,
    position=LearnedPosition(length=7),
    readout="tied",
    vocabulary=11,
    classes=11,
  )
  params = {
    f"block_{number}": gpt2_block(layer(inputs, "transformer.h.", number))
    for number in range(2)
  }
  params |= {
    "embed": {"embedding": inputs["transformer.wte.weight"]},
    "position": {"table": inputs["transformer.wpe.weight"]},
    "norm": norm(inputs, "transformer.ln_f"),
  }
  tokens = jnp.asarray(file["input_ids"])
  y = model.apply({"params": params}, tokens, ragged(file["valid"]))
  return counted(y, "gpt2")


def test_gpt2():
  check("gpt2", gpt2, level="model")


def t5_attention(inputs: Inputs, name: str) -> dict[str, Any]:
  """Of our layer, without a table of distances."""
  names = {"query": "q", "key": "k", "value": "v", "out": "o"}
  return {ours: dense(inputs, f"{name}.{x}") for ours, x in names.items()}


def t5_block(inputs: Inputs, table: jax.Array, cross: bool) -> dict[str, Any]:
  """Of a block, from the parameters of a layer of T5, of two or three halves.

  T5's first layer has the table of distances that all layers read. Ours have
  one each: they get the same, and their slopes add up to that of the first.
  """
  last = 2 if cross else 1
  wide = f"layer.{last}.DenseReluDense."
  gated = f"{wide}wi_0.weight" in inputs
  names = {"hidden": "wi_0", "gate": "wi_1"} if gated else {"hidden": "wi"}
  names |= {"out": "wo"}
  params = {
    "mixer": t5_attention(inputs, "layer.0.SelfAttention")
    | {"position": {"table": table}},
    "mixer_norm": norm(inputs, "layer.0.layer_norm"),
    "feed_forward": {
      ours: dense(inputs, wide + x) for ours, x in names.items()
    },
    "feed_forward_norm": norm(inputs, f"layer.{last}.layer_norm"),
  }
  if cross:
    params["cross"] = t5_attention(inputs, "layer.1.EncDecAttention")
    params["cross_norm"] = norm(inputs, "layer.1.layer_norm")
  return params


def t5_stack(inputs: Inputs, kind: str) -> dict[str, Any]:
  """Of a stack: "encoder" or "decoder"."""
  shared = "layer.0.SelfAttention.relative_attention_bias.weight"
  table = inputs[f"{kind}.block.{shared}"][0]
  each = {key: x for key, x in inputs.items() if not key.endswith(shared)}
  params = {
    f"block_{number}": t5_block(
      layer(each, f"{kind}.block.", number), table, cross=kind == "decoder"
    )
    for number in range(2)
  }
  return params | {"norm": norm(inputs, f"{kind}.final_layer_norm")}


def t5_model(gated: bool) -> EncoderDecoder:
  """T5, or its version 1.1 with gates and a readout of its own."""
  activation = "gelu" if gated else "relu"
  fields = {
    "feed_forward": FeedForward(2, activation, gated=gated, bias=False),
    "normalization": RMSNorm(1e-6),
  }

  def mixer(mask: Mask) -> Attention:
    position = T5Buckets(8, 7, bidirectional=not mask.causal)
    return Attention(2, mask, score=DotProduct(), position=position)

  cross = Attention(2, Full(), score=DotProduct())
  return EncoderDecoder(
    encoder=Encoder(mixer=mixer(Full()), **fields),
    decoder=Decoder(mixer=mixer(Causal()), cross=cross, **fields),
    width=4,
    source_position=NoPosition(),
    target_position=NoPosition(),
    tied="none" if gated else "all",
    vocabulary=11,
    classes=11,
  )


def t5(inputs: Inputs, name: str) -> jax.Array:
  """T5 embeds without our √width, and a tied readout divides by it."""
  file, gated = golden(name), name == "t5_gated"
  table = {"embedding": inputs["shared.weight"] / math.sqrt(4)}
  params = {kind: t5_stack(inputs, kind) for kind in ("encoder", "decoder")}
  params["target_embed"] = table
  if gated:
    params["source_embed"] = table
    kernel = inputs["lm_head.weight"].T
    params["readout"] = {"kernel": kernel, "bias": jnp.zeros(11)}
  y = t5_model(gated).apply(
    {"params": params},
    jnp.asarray(file["decoder_input_ids"]),
    ragged(file["valid"]),
    source=(
      jnp.asarray(file["input_ids"]),
      ragged(file["attention_mask"] > 0),
    ),
  )
  return counted(y, name)


@pytest.mark.parametrize("name", ["t5", "t5_gated"])
def test_t5(name):
  check(name, lambda inputs: t5(inputs, name), level="model")
