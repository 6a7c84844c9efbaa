"""Positions against Transformers' own code, value and gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.attention.layer import Attention
from research.evaluations.attention.attend import attention
from research.masks import Causal, Full
from research.places import Pairs, whole
from research.positions.alibi import ALiBi
from research.positions.rotary import Rotary
from research.positions.t5 import T5Buckets
from research.positions.transformer_xl import TransformerXL
from research.scores.plain import DotProduct
from tests.golden.reading import Inputs, check, golden, linear
from tests.tolerance import assert_close


def alibi(name: str, q: jax.Array, k: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Our biases [b h t s] at the positions of the file, and who may look."""
  positions = jnp.asarray(golden(name)["positions"])
  valid = golden(name)["valid"]
  allowed = Causal().dense(5, 5) & valid[:, None, :] & valid[:, :, None]
  allowed = jnp.asarray(allowed)[:, None]
  return ALiBi().bias(q, k, Pairs(positions, positions, allowed)), allowed


@pytest.mark.parametrize("name", ["alibi_8", "alibi_12"])
def test_alibi(name):
  def function(inputs: Inputs) -> jax.Array:
    q, k, v = (inputs[x].swapaxes(1, 2) for x in "qkv")
    bias, allowed = alibi(name, q, k)
    y = attention(
      q,
      k,
      v,
      score_mod=lambda score, b, h, t, s: score + bias[b, h, t, s],
      mask_mod=lambda b, h, t, s: allowed[b, 0, t, s],
    )
    return y.swapaxes(1, 2)

  check(name, function)


@pytest.mark.parametrize("name", ["alibi_8", "alibi_12"])
def test_alibi_slopes(name):
  x = jnp.zeros_like(golden(name)["in.q"].swapaxes(1, 2))
  bias, allowed = alibi(name, x, x)
  # Theirs are m p_k and not m (p_k − p_q): what all keys of a query share
  # cancels in the softmax.
  theirs = golden(name)["biases"]
  theirs = theirs - theirs.swapaxes(2, 3)
  seen = np.asarray(allowed)
  assert_close(jnp.where(seen, bias, 0), theirs * seen, level="core")
  assert theirs[:, -1].any()


@pytest.mark.parametrize("kind", ["both", "causal"])
@pytest.mark.parametrize(("buckets", "limit"), [(32, 128), (8, 20)])
def test_t5_buckets(kind, buckets, limit):
  encoding = T5Buckets(buckets, limit, bidirectional=kind == "both")
  file = golden("t5_buckets")
  # They count from the query to the key, we from the key to the query.
  found = encoding.bucket(-jnp.asarray(file["distances"])[None, None])
  wanted = file[f"buckets.{kind}.{buckets}.{limit}"]
  np.testing.assert_array_equal(found[0, 0], wanted)


@pytest.mark.parametrize(
  ("name", "mask"), [("t5_encoder", Full()), ("t5_decoder", Causal())]
)
def test_t5_layer(name, mask):
  mixer = Attention(
    heads=2,
    mask=mask,
    score=DotProduct(),
    position=T5Buckets(8, 20, bidirectional=not mask.causal),
  )
  names = {"query": "q", "key": "k", "value": "v", "out": "o"}

  def function(inputs: Inputs) -> jax.Array:
    params = {
      ours: linear(inputs[f"{theirs}.weight"]) for ours, theirs in names.items()
    }
    table = inputs["relative_attention_bias.weight"]
    params["position"] = {"table": table}
    return mixer.apply({"params": params}, inputs["x"], whole(inputs["x"]))

  check(name, function)


@pytest.mark.parametrize(
  ("name", "encoding"),
  [
    ("rotary", Rotary(100.0)),
    ("rotary_linear", Rotary(100.0, interpolation=4.0)),
    # Twice as long as in training: (factor · 2) − (factor − 1) at factor 2.
    ("rotary_dynamic", Rotary(100.0, ntk=3.0)),
    ("rotary_partial", Rotary(100.0, fraction=0.5)),
  ],
)
def test_rotary(name, encoding):
  positions = jnp.asarray(golden(name)["positions"])

  def function(inputs: Inputs) -> jax.Array:
    q, k = (inputs[x].swapaxes(1, 2) for x in "qk")
    turned = encoding.rotate(q, k, positions, positions)
    return jnp.stack(turned).swapaxes(2, 3)

  check(name, function)


def test_transformer_xl():
  mixer = Attention(heads=2, mask=Full(), position=TransformerXL(width=8))
  names = {"query": "q", "key": "k", "value": "v"}

  def function(inputs: Inputs) -> jax.Array:
    # Theirs are [d h k], for the output as well.
    params = {
      ours: {"kernel": inputs[theirs].reshape(8, 8)}
      for ours, theirs in names.items()
    }
    params["out"] = linear(inputs["o"].reshape(8, 8))
    params["position"] = {
      "content": inputs["r_w_bias"],
      "place": inputs["r_r_bias"],
      "project": inputs["r"],
    }
    return mixer.apply({"params": params}, inputs["x"], whole(inputs["x"]))

  check("transformer_xl", function)
