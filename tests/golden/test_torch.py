"""Attention and feed-forward against torch, value and gradient.

Boolean masks mean "forbidden" in torch's layer and "allowed" in its function;
`is_causal` counts its queries from the first token, we from the last.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.attention.layer import Attention
from research.evaluations.attention.attend import attention
from research.masks import Causal, Full, Window
from research.models.feed_forward import FeedForward
from research.places import Places, whole
from tests.golden.reading import Inputs, check, golden, linear, ours
from tests.tolerance import assert_close, bound


def parameters(inputs: Inputs) -> dict[str, dict]:
  """Of our layer, from those of torch's, which keeps three in one."""
  weights = jnp.split(inputs["in_proj_weight"], 3)
  biases = jnp.split(inputs["in_proj_bias"], 3)
  names = ("query", "key", "value")
  layers = {
    name: linear(*both)
    for name, *both in zip(names, weights, biases, strict=True)
  }
  out = linear(inputs["out_proj.weight"], inputs["out_proj.bias"])
  return {"params": {**layers, "out": out}}


def read(x: jax.Array, ignored: np.ndarray, edges: np.ndarray | None) -> Places:
  """Places of a row: what torch's layer does not ignore is one segment."""
  edges = None if edges is None else jnp.asarray(edges)
  segments = jnp.asarray(~ignored, jnp.int32)
  return Places(whole(x).positions, segments, edges)


def itself(inputs: Inputs) -> jax.Array:
  """Self-attention in a causal window, some rows with padding."""
  mixer = Attention(heads=2, mask=Causal() & Window(3), bias=True)
  where = read(inputs["x"], golden("multihead_self")["ignored"], None)
  return mixer.apply(parameters(inputs), inputs["x"], where)


def across(inputs: Inputs, allowed: np.ndarray) -> jax.Array:
  """Cross-attention to a padded memory, `allowed` [t s] for all rows."""
  x, memory = inputs["x"], inputs["memory"]
  mixer = Attention(heads=2, mask=Full(), bias=True)
  nothing = np.zeros(x.shape[:2], bool)
  edges = np.broadcast_to(allowed, x.shape[:2] + memory.shape[1:2])
  where = read(x, nothing, edges)
  source = memory, read(memory, golden("multihead_cross")["ignored"], None)
  return mixer.apply(parameters(inputs), x, where, source=source)


def product(inputs: Inputs, allowed: np.ndarray) -> jax.Array:
  """Attention without parameters in torch's layout [b h t k]."""
  q, k, v = (inputs[name].swapaxes(1, 2) for name in ("query", "key", "value"))
  size = q.shape[:1] + (1,) + q.shape[1:2] + k.shape[1:2]
  allowed = jnp.broadcast_to(jnp.asarray(allowed), size)
  y = attention(q, k, v, mask_mod=lambda b, h, t, s: allowed[b, 0, t, s])
  return y.swapaxes(1, 2)


def test_self_attention():
  check("multihead_self", itself)


def test_the_mask_of_the_layer_means_forbidden():
  dense = (Causal() & Window(3)).dense(5, 5)
  np.testing.assert_array_equal(golden("multihead_self")["forbidden"], ~dense)


def test_cross_attention():
  forbidden = golden("multihead_cross")["forbidden"]
  check("multihead_cross", lambda inputs: across(inputs, ~forbidden))
  with pytest.raises(AssertionError, match="error"):
    check("multihead_cross", lambda inputs: across(inputs, forbidden))


def test_key_biases_have_no_gradient():
  # They add the same to all scores of a query. Compared on their own, torch's
  # rounding would be compared with ours: their measure is the other biases.
  wanted = golden("multihead_self")["grad.in_proj_bias"]
  found = ours("multihead_self", itself)[1]["in_proj_bias"]
  small = bound(np.float32, "module", 5, gradient=True) * np.abs(wanted).max()
  for gradient in (wanted, found):
    query, key, value = np.abs(np.split(gradient, 3))
    assert key.max() < small < min(query.max(), value.max())


def test_the_mask_of_the_function_means_allowed():
  allowed = golden("dot_product_allowed")["allowed"]
  check("dot_product_allowed", lambda inputs: product(inputs, allowed))
  with pytest.raises(AssertionError, match="error"):
    check("dot_product_allowed", lambda inputs: product(inputs, ~allowed))


def test_a_query_that_may_look_at_nobody_reads_zeros():
  # Torch's function and we agree on it; a softmax of -1e9 reads the mean.
  assert not golden("dot_product_allowed")["out"][0, :, 2].any()


@pytest.mark.parametrize(
  ("name", "allowed"),
  [
    # The queries are the first three of five tokens …
    ("dot_product_is_causal", Causal().dense(5, 5)[:3]),
    # … or the last three, as in a stream; `dense` speaks of these.
    ("dot_product_lower_right", Causal().dense(3, 5)),
  ],
)
def test_causal_with_fewer_queries_than_keys(name, allowed):
  check(name, lambda inputs: product(inputs, allowed))


def test_is_causal_is_not_our_causal():
  allowed = Causal().dense(3, 5)
  with pytest.raises(AssertionError, match="error"):
    check("dot_product_is_causal", lambda inputs: product(inputs, allowed))


def test_grouped_queries():
  mixer = Attention(heads=4, key_heads=2)
  names = {"query": "q", "key": "k", "value": "v", "out": "o"}

  def function(inputs: Inputs) -> jax.Array:
    params = {name: linear(inputs[their]) for name, their in names.items()}
    return mixer.apply({"params": params}, inputs["x"], whole(inputs["x"]))

  check("grouped", function)


def test_gelu_is_its_tanh_form():
  def function(inputs: Inputs) -> jax.Array:
    hidden = linear(inputs["0.weight"], inputs["0.bias"])
    out = linear(inputs["2.weight"], inputs["2.bias"])
    params = {"params": {"hidden": hidden, "out": out}}
    return FeedForward(expansion=2).apply(params, inputs["x"])

  check("feed_forward", function)
  found, _ = ours("feed_forward", function)
  with pytest.raises(AssertionError, match="error"):
    assert_close(found, golden("feed_forward")["exact"], level="module")
