"""Models under dropout, streams, remat, scan and vmap, hybrids included."""

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.errors import InvalidRngError

from research.attention.layer import Attention
from research.masks import Causal, Full, Window
from research.mixer import Mixer
from research.models.block import Block
from research.models.feed_forward import FeedForward
from research.models.sequence import SequenceModel
from research.places import Places, whole
from research.positions.learned import LearnedPosition
from research.positions.rotary import Rotary
from tests.tolerance import assert_close

B, T, D, V = 2, 6, 8, 5
KEY = jax.random.key(0)
TOKENS = jnp.asarray(np.random.default_rng(3).integers(0, V, (B, T)), jnp.int32)
X = jnp.asarray(np.random.default_rng(4).normal(size=(B, T, D)), jnp.float32)
PLACES = whole(TOKENS)


class Sum(Mixer):
  """Two mixers side by side, added up; a mixer may hold mixers."""

  left: Mixer
  right: Mixer

  @property
  def causal(self) -> bool:
    return self.left.causal and self.right.causal

  def state_size(self, width: int, length: int) -> int:
    sizes = (m.state_size(width, length) for m in (self.left, self.right))
    return sum(sizes)

  @nn.compact
  def __call__(
    self,
    x: Any,
    places: Places,
    *,
    source: Any = None,
    at: Any = None,
    deterministic: bool = True,
  ) -> Any:
    given = {"source": source, "at": at, "deterministic": deterministic}
    return self.left(x, places, **given) + self.right(x, places, **given)


NESTED = Sum(
  Attention(2, position=Rotary()),
  Sum(Attention(mask=Causal() & Window(2)), Attention()),
)
PARAMETERS = 3 * 4 * D * D

small = functools.partial(
  SequenceModel,
  mixer=NESTED,
  width=D,
  feed_forward=FeedForward(expansion=1),
  vocabulary=V,
  classes=V,
)


def count(tree: Any) -> int:
  return sum(leaf.size for leaf in jax.tree.leaves(tree))


@functools.partial(jax.jit, static_argnums=0)
def start(module: nn.Module, inputs: Any) -> Any:
  return module.init(KEY, inputs, PLACES)


@functools.partial(jax.jit, static_argnums=0)
def run(module: nn.Module, variables: Any, inputs: Any) -> Any:
  return module.apply(variables, inputs, PLACES)


def test_nested_mixers_have_parameters_of_their_own():
  one, two = (start(small(layers=n), TOKENS)["params"] for n in (1, 2))
  assert count(two["block_0"]["mixer"]) == PARAMETERS
  assert count(two) - count(one) == count(one["block_0"])
  first, second = (jax.tree.leaves(two[f"block_{n}"]) for n in (0, 1))
  pairs = [pair for pair in zip(first, second, strict=True) if pair[0].ndim > 1]
  assert pairs and all((a != b).any() for a, b in pairs)
  model = small()
  slopes = jax.jit(jax.grad(lambda v: jnp.sum(run(model, v, TOKENS)[..., 0])))
  changed = jax.tree.map(lambda leaf: leaf.any(), slopes(start(model, TOKENS)))
  mixers = [changed["params"][f"block_{n}"]["mixer"] for n in (0, 1)]
  for name in ("query", "key", "value", "out"):
    assert all(m["right"]["left"][name]["kernel"] for m in mixers)


def test_use_leaves_the_record_alone():
  model = small()
  before = repr(model), hash(model)
  run(model, start(model, TOKENS), TOKENS)
  model.start(B, T)
  assert (repr(model), hash(model)) == before
  assert model == small() and model.mixer == NESTED


class Stack(nn.Module):
  """Three blocks, written as a loop, with remat or as a scan."""

  form: str
  mixer: Mixer = NESTED.right

  @nn.compact
  def __call__(self, x: Any, places: Places) -> Any:
    def block(kind: Any, name: str | None = None) -> Any:
      # Neither may belong to the stack before it belongs to its block.
      mixer, half = self.mixer.copy(parent=None), FeedForward(1, parent=None)
      return kind(mixer, half, name=name)

    if self.form == "scan":
      return nn.scan(
        lambda module, x, _: (module(x, places), None),
        variable_axes={"params": 0},
        split_rngs={"params": True},
        length=3,
      )(block(Block, "blocks"), x, None)[0]
    kind = nn.remat(Block) if self.form == "remat" else Block
    for layer in range(3):
      x = block(kind, f"block_{layer}")(x, places)
    return x


def outputs_and_slopes(module: nn.Module, variables: Any) -> Any:
  @jax.jit
  def both(variables: Any) -> Any:
    def loss(variables: Any) -> Any:
      y = run(module, variables, X)
      return jnp.sum(jnp.sin(y)), y

    return jax.grad(loss, has_aux=True)(variables)

  return both(variables)


def stacked(variables: Any) -> Any:
  """The parameters of three blocks with a first axis of layers."""
  blocks = (variables["params"][f"block_{n}"] for n in range(3))
  return {"params": {"blocks": jax.tree.map(lambda *a: jnp.stack(a), *blocks)}}


@pytest.fixture(scope="module")
def loop():
  variables = start(Stack("loop"), X)
  return variables, outputs_and_slopes(Stack("loop"), variables)


def test_remat_changes_nothing(loop):
  variables, (slopes, y) = loop
  shapes = jax.tree.map(jnp.shape, start(Stack("remat"), X))
  assert shapes == jax.tree.map(jnp.shape, variables)
  other_slopes, other = outputs_and_slopes(Stack("remat"), variables)
  assert_close(other, np.asarray(y), level="model")
  assert_close(other_slopes, slopes, level="model", gradient=True)


def test_scan_over_layers_is_the_loop(loop):
  variables, (slopes, y) = loop
  fresh = start(Stack("scan"), X)
  assert count(fresh) == count(variables)
  kernel = fresh["params"]["blocks"]["mixer"]["left"]["query"]["kernel"]
  assert kernel.shape == (3, D, D) and (kernel[0] != kernel[1]).any()
  other_slopes, other = outputs_and_slopes(Stack("scan"), stacked(variables))
  assert_close(other, np.asarray(y), level="model")
  assert_close(other_slopes, stacked(slopes), level="model", gradient=True)


def test_vmap_over_members_is_one_by_one():
  model = small(layers=1)
  keys = jax.random.split(KEY, 3)
  variables = jax.lax.map(lambda key: model.init(key, TOKENS, PLACES), keys)
  together = jax.jit(jax.vmap(lambda v: model.apply(v, TOKENS, PLACES)))(
    variables
  )
  for member in range(3):
    own = jax.tree.map(lambda leaf, m=member: leaf[m], variables)
    assert_close(
      together[member], np.asarray(run(model, own, TOKENS)), level="model"
    )


def test_linen_vmap_gives_members_of_their_own():
  ensemble = nn.vmap(
    SequenceModel,
    variable_axes={"params": 0},
    split_rngs={"params": True},
    in_axes=None,
    axis_size=3,
  )
  model = ensemble(NESTED, layers=1, width=D, vocabulary=V, classes=V)
  variables = start(model, TOKENS)
  y = run(model, variables, TOKENS)
  assert y.shape == (3, B, T, V)
  plain = SequenceModel(NESTED, layers=1, width=D, vocabulary=V, classes=V)
  own = jax.tree.map(lambda leaf: leaf[1], variables)
  assert_close(y[1], np.asarray(run(plain, own, TOKENS)), level="model")


# Dropout


def test_dropout_is_off_unless_asked_for():
  model = small(layers=1, dropout=0.5)
  variables = start(model, TOKENS)
  y = run(model, variables, TOKENS)
  np.testing.assert_array_equal(y, run(small(layers=1), variables, TOKENS))
  with pytest.raises(InvalidRngError):
    jax.eval_shape(
      lambda: model.apply(variables, TOKENS, PLACES, deterministic=False)
    )


def test_dropout_drops_what_its_key_says():
  model = small(layers=1, dropout=0.5)
  variables = start(model, TOKENS)

  @jax.jit
  def dropped(key: Any) -> Any:
    return model.apply(
      variables, TOKENS, PLACES, deterministic=False, rngs={"dropout": key}
    )

  first, second = dropped(jax.random.key(1)), dropped(jax.random.key(2))
  np.testing.assert_array_equal(first, dropped(jax.random.key(1)))
  clean = run(model, variables, TOKENS)
  assert (first != second).any() and (first != clean).any()


# Streams


@pytest.mark.parametrize("inputs", ["tokens", "vectors"])
def test_a_model_streams(inputs):
  tokens = inputs == "tokens"
  model = small(
    mixer=NESTED.right if tokens else NESTED.left,
    norm="pre" if tokens else "post",
    position=LearnedPosition(length=T),
    vocabulary=V if tokens else 0,
  )
  x = TOKENS if tokens else X[..., :3]
  variables = start(model, x)
  wanted = np.asarray(run(model, variables, x))
  cache = model.start(B, T, inputs=3)

  @jax.jit
  def append(cache: Any, x: Any, where: Places, at: Any = None) -> Any:
    given = {**variables, "cache": cache}
    y, new = model.apply(given, x, where, at=at, mutable=["cache"])
    return new["cache"], y

  # The prompts have two and three tokens; only the last output is asked for.
  prompt = jnp.array([[1, 1, 0], [1, 1, 1]])
  last = jnp.array([[1], [2]])
  cache, y = append(
    cache, x[:, :3], Places(PLACES.positions[:, :3], prompt), last
  )
  rows = np.arange(B)[:, None]
  assert_close(y, wanted[rows, last], level="model")
  for _ in range(3):
    last = last + 1
    token = Places(last, jnp.ones((B, 1), jnp.int32))
    cache, y = append(cache, x[rows, last], token)
    assert_close(y, wanted[rows, last], level="model")


@pytest.mark.parametrize("length", [1, T])
def test_the_state_is_what_the_cache_holds(length):
  cache = jax.tree.leaves(small().start(3, length))
  assert all(leaf.shape[0] == 3 and not leaf.any() for leaf in cache)
  state = [leaf for leaf in cache if jnp.issubdtype(leaf.dtype, jnp.inexact)]
  assert count(state) == 3 * small().state_size(length)


def test_who_does_not_stream_says_so():
  with pytest.raises(ValueError, match="pooling = 'last' .*; allowed: 'none'"):
    small(pooling="last").start(B, T)
  mixer = Sum(Attention(), Attention(mask=Full()))
  model = SequenceModel(mixer, width=D, vocabulary=V, classes=V)
  with pytest.raises(ValueError, match="cache .* not causal; allowed"):
    model.start(B, T)
