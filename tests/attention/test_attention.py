"""The attention layer against flax, streamed, and at its edges."""

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.attention.layer import Attention
from research.heads.differential import Differential
from research.masks import Blocks, Causal, Full, Global, Window
from research.normalizers.relu import ReLU
from research.normalizers.softmax import Softmax
from research.places import Places, whole
from research.positions.hard_alibi import HardALiBi
from research.positions.rotary import Rotary
from research.scores.additive import Additive
from tests.tolerance import assert_close

B, S, H, K = 2, 6, 2, 4
D = H * K
X = jnp.asarray(np.random.default_rng(5).normal(size=(B, S, D)), jnp.float32)


def flax_parameters(parameters: Any) -> Any:
  """Our parameters in the shapes of flax's attention."""
  copied = {}
  for name in ("query", "key", "value", "out"):
    kernel, bias = parameters[name]["kernel"], parameters[name]["bias"]
    if name == "out":
      copied[name] = {"kernel": kernel.reshape(H, K, D), "bias": bias}
    else:
      split = kernel.reshape(D, H, K), bias.reshape(H, K)
      copied[name] = dict(zip(("kernel", "bias"), split, strict=True))
  return copied


def test_the_layer_agrees_with_flax():
  layer = Attention(heads=H, mask=Causal(), bias=True)
  parameters = layer.init(jax.random.key(0), X, whole(X))["params"]
  parameters = jax.tree.map(
    lambda leaf: (
      leaf + 0.1 * jnp.cos(jnp.arange(leaf.size)).reshape(leaf.shape)
    ),
    parameters,
  )
  theirs = nn.MultiHeadDotProductAttention(num_heads=H)
  mask = jnp.asarray(Causal().dense(S, S))[None, None]
  weights = jnp.sin(jnp.arange(X.size, dtype=jnp.float32)).reshape(X.shape)

  def loss_ours(parameters: Any, x: Any) -> Any:
    y = layer.apply({"params": parameters}, x, whole(x))
    return jnp.sum(y * weights), y

  def loss_theirs(parameters: Any, x: Any) -> Any:
    y = theirs.apply({"params": flax_parameters(parameters)}, x, mask=mask)
    return jnp.sum(y * weights), y

  def both(loss: Any) -> Any:
    compiled = jax.jit(jax.grad(loss, argnums=(0, 1), has_aux=True))
    (parameter, x), y = compiled(parameters, X)
    # Its true gradient is zero: what is there is rounding.
    assert np.abs(parameter["key"].pop("bias")).max() < 1e-5
    return y, (parameter, x)

  y, gradients = both(loss_ours)
  wanted = both(loss_theirs)
  assert_close(y, wanted[0], level="module")
  assert_close(gradients, wanted[1], level="module", gradient=True)


def test_without_mask_and_positions_order_does_not_matter():
  layer = Attention(heads=H, mask=Full())
  variables = layer.init(jax.random.key(0), X, whole(X))
  order = jnp.array([3, 0, 5, 1, 4, 2])

  @jax.jit
  def run(x: Any) -> Any:
    y, back = jax.vjp(lambda x: layer.apply(variables, x, whole(x)), x)
    return y, back(jnp.sin(y))[0]

  y, slope = run(X[:, order])
  wanted = jax.tree.map(lambda leaf: np.asarray(leaf[:, order]), run(X))
  assert_close(y, wanted[0], level="module")
  assert_close(slope, wanted[1], level="module", gradient=True)
  moved = Attention(heads=H, mask=Causal()).apply(variables, X, whole(X))
  assert (np.abs(moved - run(X)[0]) > 1e-3).any()


def test_what_a_bias_forbids_is_not_counted():
  # ReLU divides by the number of keys: as many as the window has.
  hard = HardALiBi(windows=(2, 2))
  biased = Attention(heads=H, normalizer=ReLU(), position=hard)
  masked = Attention(heads=H, normalizer=ReLU(), mask=Causal() & Window(2))
  variables = biased.init(jax.random.key(0), X, whole(X))

  @jax.jit
  def run(variables: Any, x: Any) -> Any:
    return [layer.apply(variables, x, whole(x)) for layer in (biased, masked)]

  y, wanted = run(variables, X)
  assert np.any(y)
  assert_close(y, np.asarray(wanted), level="module")


def test_only_the_queries_asked_for_are_computed():
  layer = Attention(heads=H)
  variables = layer.init(jax.random.key(0), X, whole(X))
  at = jnp.zeros((B, 3), jnp.int32)

  def shapes(at: Any) -> list:
    traced = jax.make_jaxpr(
      lambda x: layer.apply(variables, x, whole(x), at=at)
    )(X)
    return [
      equation.outvars[0].aval.shape
      for equation in traced.jaxpr.eqns
      if equation.primitive.name == "dot_general"
    ]

  assert (B, H, S, S) in shapes(None)
  assert (B, H, 3, S) in shapes(at) and (B, H, S, S) not in shapes(at)
  # Keys and values are made of every token, queries and outputs are not.
  assert shapes(None).count((B, S, D)) == 4
  assert shapes(at).count((B, S, D)) == shapes(at).count((B, 3, D)) == 2


def read_in_steps(layer: Attention, length: int, cache_length: int) -> Any:
  """The outputs of a stream token by token, with a cache of some length."""
  variables = layer.init(jax.random.key(0), X, whole(X))
  start = X[:, :cache_length]
  _, new = layer.apply(variables, start, whole(start), mutable=["cache"])
  cache = jax.tree.map(jnp.zeros_like, new["cache"])

  @jax.jit
  def step(cache: Any, x: Any, where: Places) -> Any:
    given = {**variables, "cache": cache}
    y, new = layer.apply(given, x, where, mutable=["cache"])
    return new["cache"], y

  where, outputs = whole(X), []
  for t in range(length):
    x, token = jax.tree.map(lambda leaf, t=t: leaf[:, t : t + 1], (X, where))
    cache, y = step(cache, x, token)
    outputs.append(y)
  whole_y = jax.jit(layer.apply)(variables, X, where)[:, :length]
  return np.concatenate(outputs, axis=1), np.asarray(whole_y)


@pytest.mark.parametrize(
  "mask",
  [
    Causal() & (Window(2) | Global(1)),
    (Causal() & Window(2)) | (Causal() & Blocks(4)),
    Causal() & ~Window(2),
  ],
  ids=["sinks", "window or block", "far"],
)
def test_masks_stream(mask):
  layer = Attention(heads=H, mask=mask, position=Rotary())
  streamed, wanted = read_in_steps(layer, S, S)
  assert_close(jnp.asarray(streamed), wanted, level="module")


@pytest.mark.parametrize(
  "mask", [Causal(), Causal() & Window(5)], ids=["store", "history"]
)
def test_a_full_cache_is_seen(mask):
  streamed, wanted = read_in_steps(Attention(heads=H, mask=mask), S, 3)
  assert_close(jnp.asarray(streamed[:, :3]), wanted[:, :3], level="module")
  assert np.isnan(streamed[:, 3:]).all()


def test_a_short_window_needs_no_room():
  layer = Attention(heads=H, mask=Causal() & Window(3))
  streamed, wanted = read_in_steps(layer, S, 3)
  assert_close(jnp.asarray(streamed), wanted, level="module")


def call(layer: Attention, **changes: Any) -> Any:
  places = Places(whole(X).positions, whole(X).segments, changes.pop("edges"))
  init = functools.partial(layer.init, jax.random.key(0), **changes)
  return jax.eval_shape(init, X, places)


@pytest.mark.parametrize(
  ("make", "message"),
  [
    (lambda: Attention(heads=0), "heads = 0; allowed: 1 or more"),
    (
      lambda: Attention(heads=4, key_heads=3),
      "key_heads = 3 with heads = 4; allowed: 0 .*, or a divisor of heads",
    ),
    (lambda: Attention(key_heads=-1), "key_heads = -1 .*; allowed: 0"),
    (
      lambda: Attention(gate="heads"),
      "gate = 'heads'; allowed: 'none', 'head'",
    ),
    (lambda: Attention(mask="causal"), "mask = 'causal'; allowed: a Mask of"),
    (
      lambda: Attention(mask=type("Plain", (Causal,), {})()),
      "mask = Plain is no record; allowed: ",
    ),
    (
      lambda: Attention(position=Softmax()),
      "(?s)position = .*; allowed: a ScorePosition",
    ),
    (
      lambda: Attention(score=Additive(), position=Rotary()),
      "position = Rotary turns .* score = Additive .*; allowed: a dot product",
    ),
    (
      lambda: call(Attention(heads=8, joint=Differential()), edges=None),
      "heads = 8 of 2 maps each does not divide width 8; allowed: a divisor",
    ),
    (
      lambda: call(Attention(), edges=None, source=(X[..., :6], whole(X))),
      r"source has shape \(2, 6, 6\); allowed: .* b = 2 and d = 8",
    ),
    (
      lambda: call(Attention(), edges=None, source=(X[:1], whole(X[:1]))),
      r"source has shape \(1, 6, 8\); allowed: .* b = 2 and d = 8",
    ),
    (
      lambda: call(Attention(), edges=None, source=(X, whole(X[:, :2]))),
      r"places.positions has shape \(2, 2\); allowed: \(b, t\) = \(2, 6\)",
    ),
    (
      lambda: call(Attention(heads=3), edges=None),
      "heads = 3 does not divide width 8; allowed: a divisor of the width",
    ),
    (
      lambda: call(Attention(heads=8, position=Rotary()), edges=None),
      "key width = 1 .*; allowed: even widths",
    ),
    (
      lambda: call(Attention(), edges=jnp.ones((B, S, S - 1), bool)),
      "places.edges has shape .*; allowed: .* s = 6",
    ),
    (
      lambda: Attention().apply(
        Attention().init(jax.random.key(0), X, whole(X)),
        X,
        Places(*jax.tree.leaves(whole(X)), jnp.ones((B, S, S), bool)),
        mutable=["cache"],
      ),
      "places.edges was given with a cache; allowed: None",
    ),
  ],
)
def test_refused(make, message, unchecked):
  with pytest.raises(ValueError, match=message):
    make()


@pytest.mark.parametrize("mask", [Causal(), Full()])
@pytest.mark.parametrize("form", ["dense", "blockwise"])
def test_the_output_at_minus_one_is_the_last(form, mask):
  layer = Attention(heads=H, mask=mask, evaluation=form)

  @jax.jit
  def run() -> Any:
    variables = layer.init(jax.random.key(0), X, whole(X))
    at = jnp.array([[-1, 0, -S, -S - 1, S]] * B)
    some = layer.apply(variables, X, whole(X), at=at)
    return layer.apply(variables, X, whole(X)), some

  y, some = map(np.asarray, run())
  assert_close(some[:, :3], y[:, [S - 1, 0, 0]], level="core")
  assert not some[:, 3:].any()


@pytest.mark.parametrize("form", ["dense", "blockwise"])
@pytest.mark.parametrize("rows, length", [(0, S), (B, 0), (0, 0)])
def test_nothing_is_read_from_nothing(rows, length, form):
  layer = Attention(
    heads=H, gate="head", score_mod=lambda score, *_: score, evaluation=form
  )
  none = X[:rows, :length]
  shapes = jax.eval_shape(layer.init, jax.random.key(0), X, whole(X))
  variables = layer.init(jax.random.key(0), none, whole(none))
  assert jax.tree.map(jnp.shape, variables) == jax.tree.map(jnp.shape, shapes)
  assert layer.apply(variables, none, whole(none)).shape == none.shape
