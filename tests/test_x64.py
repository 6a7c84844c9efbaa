"""With float64 enabled mixers, training and generation run as without."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.attention.layer import Attention
from research.generation.beam import Beam
from research.generation.generate import generate
from research.generation.greedy import Greedy
from research.heads.differential import Differential
from research.masks import Causal
from research.models.sequence import SequenceModel
from research.normalizers.sink import SoftmaxSink
from research.places import Places, whole
from research.positions.shaw import ShawRelative
from research.training.loop import chunk
from research.training.member import initialise
from tests.cases import mixer_cases
from tests.tolerance import assert_close
from tests.training.problem import member, ready


@pytest.fixture(autouse=True)
def x64():
  with jax.enable_x64(True):
    yield


def inputs(width: int) -> jax.Array:
  x = np.random.default_rng(0).normal(size=(2, 9, width))
  return jnp.asarray(x, jnp.float32)


@pytest.mark.parametrize("name", mixer_cases())
def test_a_mixer_trains_and_streams(name):
  mixer, x = mixer_cases()[name].mixer, inputs(mixer_cases()[name].width)

  def loss(variables, x):
    y = mixer.apply(variables, x, whole(x))
    return jnp.sum(y), y

  def step(variables, cache, x):
    variables = {**variables, "cache": cache}
    return mixer.apply(variables, x, whole(x), mutable=["cache"])

  variables = jax.eval_shape(mixer.init, jax.random.key(0), x, whole(x))
  gradient = jax.grad(loss, argnums=(0, 1), has_aux=True)
  (slopes, slope), y = jax.eval_shape(gradient, variables, x)
  assert slopes == variables
  assert y.dtype == slope.dtype == jnp.float32
  if mixer.causal:
    cache = jax.eval_shape(step, variables, {}, x)[1].get("cache", {})
    again = jax.eval_shape(step, variables, cache, x[:, :1])[1]
    assert again.get("cache", {}) == cache


def test_blocks_agree_with_all_at_once():
  layer = Attention(
    heads=2,
    mask=Causal(),
    normalizer=SoftmaxSink(),
    joint=Differential(),
    position=ShawRelative(reach=4),
    weight_mod=lambda weight, b, h, i, j: weight * jnp.float32(j - i),
  )
  x = inputs(16)
  variables = layer.init(jax.random.key(0), x, whole(x))
  variables = jax.tree.map(lambda leaf: leaf + 0.1, variables)

  def run(form: str) -> tuple[jax.Array, tuple]:
    mixer = layer.copy(parent=None, evaluation=form)

    def loss(variables, x):
      y = mixer.apply(variables, x, whole(x))
      return jnp.sum(jnp.square(y)), y

    slopes, y = jax.grad(loss, argnums=(0, 1), has_aux=True)(variables, x)
    return y, slopes

  wanted, found = jax.tree.map(np.asarray, [run("dense"), run("blockwise")])
  assert_close(found[0], wanted[0], level="module")
  narrow = jax.tree.map(np.float32, (found[1], wanted[1]))
  assert_close(*narrow, level="module", gradient=True)


@pytest.mark.parametrize("dtype", [np.int64, np.int16, np.uint8, bool])
def test_a_model_streams_places_of_any_dtype(dtype):
  model = SequenceModel(
    Attention(heads=2), layers=1, width=8, vocabulary=7, classes=7
  )
  tokens = jnp.array([[2, 3, 4]])
  where = Places(jnp.arange(3, dtype=np.int64)[None], jnp.ones((1, 3), dtype))

  @jax.jit
  def both():
    variables = model.init(jax.random.key(0), tokens, where)
    given = {**variables, "cache": model.start(1, 5)}
    y, _ = model.apply(given, tokens, where, mutable=["cache"])
    return y, model.apply(variables, tokens, whole(tokens))

  assert_close(*map(np.float32, both()), level="module")


def test_a_model_writes_the_same_with_a_cache_and_without():
  model = SequenceModel(
    Attention(heads=2), layers=1, width=8, vocabulary=7, classes=7
  )
  prompt = jnp.array([[2, 3, 4], [4, 5, 0]])
  variables = jax.jit(model.init)(jax.random.key(0), prompt, whole(prompt))
  given = {"length": 3, "lengths": jnp.array([3, 2])}
  plain = Greedy(cached=False)
  wanted = generate(model, variables, prompt, how=plain, **given)
  for how in (Greedy(), Beam(width=1)):
    found = generate(model, variables, prompt, how=how, **given)
    np.testing.assert_array_equal(found.tokens, wanted.tokens)


def test_a_chunk_of_training_keeps_its_types():
  made, who = ready(), member()
  state = jax.eval_shape(lambda: initialise(made, who))
  again, loss = jax.eval_shape(lambda state: chunk(made, who, state), state)
  assert again == state and loss.dtype == jnp.float32
