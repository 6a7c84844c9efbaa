"""The forms of attention agree, whatever the parts; who cannot, says so."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.attention.layer import Attention
from research.masks import Causal, Full, Window
from research.places import Places, whole
from research.positions.alibi import ALiBi
from tests.attention.test_combinations import (
  NAMES,
  PARTS,
  cover,
  drawn,
  layer,
  title,
)
from tests.small_blocks import blocks_of
from tests.tolerance import assert_close

B, T, D = 2, 19, 32
generator = np.random.default_rng(8)
X = generator.normal(size=(B, T, D)).astype(np.float32)
# Of one sign: sums of both may cancel, and show what rounding left of them.
SEED = generator.uniform(1.0, 2.0, size=(B, T, D)).astype(np.float32)
SEGMENTS = np.array([[1] * T, [1] * 6 + [2] * 9 + [0] * 4])
POSITIONS = np.cumsum(generator.integers(1, 4, size=(B, T)), axis=1)
PLACES = Places(jnp.asarray(POSITIONS), jnp.asarray(SEGMENTS))


@pytest.fixture(autouse=True)
def small_blocks():
  """Three times three blocks, the last ones cut."""
  with blocks_of(8):
    yield


def in_form(mixer: Attention, form: str) -> Attention:
  return mixer.copy(evaluation=form, parent=None)


def computed(mixer: Attention, variables: Any, x: Any, **given: Any) -> Any:
  """Outputs, and gradients of parameters and inputs."""

  @jax.jit
  def run(variables: Any, x: Any) -> Any:
    y, back = jax.vjp(
      lambda variables, x: mixer.apply(variables, x, PLACES, **given),
      variables,
      x,
    )
    return y, back(jnp.asarray(SEED, y.dtype)[:, : y.shape[1]])

  return run(variables, x)


def given(mixer: Attention) -> tuple[Any, jax.Array]:
  x = jnp.where(SEGMENTS[..., None] > 0, X, 0.0)
  shapes = jax.eval_shape(mixer.init, jax.random.key(0), x, PLACES)
  return jax.tree.map(drawn, shapes), x


def blockable(row: Any) -> bool:
  mixer = layer(row)
  return mixer.normalizer.blockable and mixer.position.blockable


# All rows are half a minute of tracing; a third of them hold every choice.
ROWS = [*filter(blockable, cover())][::3]


@pytest.mark.parametrize("row", ROWS, ids=title)
def test_blocks_agree_with_all_at_once(row):
  mixer = layer(row)
  variables, x = given(mixer)
  y, slopes = computed(in_form(mixer, "dense"), variables, x)
  found, gradients = computed(in_form(mixer, "blockwise"), variables, x)
  assert_close(found, np.asarray(y), level="module")
  assert_close(
    gradients, jax.tree.map(np.asarray, slopes), level="module", gradient=True
  )


def test_every_choice_is_tried_in_blocks():
  for part, name in enumerate(NAMES):
    tried = {row[part] for row in ROWS}
    for i, choice in enumerate(PARTS[name]):
      assert (i in tried) == getattr(choice, "blockable", True), choice


def test_blocks_read_another_sequence_at_some_places():
  mixer = Attention(
    heads=4, key_heads=2, mask=Causal() & Window(4), position=ALiBi()
  )
  variables, x = given(mixer)
  rest = jax.tree.map(lambda leaf: leaf[:, :13], (x[:, ::-1], PLACES))
  at = jnp.asarray([[18, 3, 4], [0, 14, 7]])

  @jax.jit
  def run(variables: Any, x: Any, source: Any) -> Any:
    def reads(form: str) -> Any:
      def read(variables: Any, x: Any, source: Any) -> Any:
        apply = in_form(mixer, form).apply
        source = source, rest[1]
        across = apply(variables, x, PLACES, source=source)
        return (
          across,
          apply(variables, x, PLACES, source=source, at=at),
          apply(variables, x, PLACES, at=at),
        )

      y, back = jax.vjp(read, variables, x, source)
      return y, back(tuple(jnp.asarray(SEED)[:, : a.shape[1]] for a in y))

    return reads("dense"), reads("blockwise")

  wanted, found = run(variables, x, rest[0])
  wanted = jax.tree.map(np.asarray, wanted)
  assert all(a.any() for a in wanted[0])
  picked = np.take_along_axis(wanted[0][0], np.asarray(at)[..., None], axis=1)
  assert_close(found[0][1], picked, level="module")
  assert_close(found[0], wanted[0], level="module")
  assert_close(found[1], wanted[1], level="module", gradient=True)


def test_functions_are_called_at_positions_that_there_are_alone():
  """Elsewhere they may have no number: here, at 0."""
  x = jnp.sin(jnp.arange(70 * 8.0)).reshape(1, 70, 8)
  places = whole(x, 1)

  def layer(rate: Any, form: Any) -> Attention:
    def far(score: Any, b: Any, h: Any, query: Any, key: Any) -> Any:
      return score - rate * jnp.log(key.astype(jnp.float32))

    return Attention(mask=Full(), score_mod=far, evaluation=form)

  variables = Attention(mask=Full()).init(jax.random.key(0), x, places)

  @functools.partial(jax.jit, static_argnums=1)
  def slope(rate: Any, form: Any) -> Any:
    def loss(rate: Any) -> Any:
      y = layer(rate, form).apply(variables, x, places)
      return jnp.sum(jnp.sin(y))

    return jax.grad(loss)(rate)

  wanted, found = slope(0.5, "dense"), slope(0.5, "blockwise")
  assert wanted != 0
  assert_close(found, np.asarray(wanted), level="module", gradient=True)
