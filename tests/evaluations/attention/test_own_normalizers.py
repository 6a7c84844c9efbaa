"""Normalisers that a user writes: in blocks what they are at once."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.attention.layer import Attention
from research.evaluations.attention.attend import attend
from research.evaluations.attention.base import Side
from research.evaluations.attention.choice import choose
from research.evaluations.attention.rules import Parts
from research.masks import Causal, Full
from research.normalizers.base import (
  Allowed,
  Exponential,
  Normalizer,
  Rows,
  Weights,
)
from research.normalizers.softmax import Softmax
from research.normalizers.squared_relu import SquaredReLU
from research.places import Places, whole
from research.scores.base import Scores
from tests.evaluations.attention.problem import drawn
from tests.small_blocks import blocks_of
from tests.tolerance import assert_close


class Clipped(Softmax):
  """Softmax stretched and clipped (Bondarenko 2023): `share` of whole rows."""

  online = False

  def share(self, scores: Scores, allowed: Allowed, rows: Rows) -> Weights:
    stretched = 1.2 * super().share(scores, allowed, rows) - 0.1
    return jnp.where(allowed, jnp.clip(stretched, 0.0, 1.0), 0.0)


class Doubled(Softmax):
  """Other `numerators` than those it is derived from."""

  def numerators(self, scores: Scores, rows: Rows) -> Weights:
    return 2.0 * super().numerators(scores, rows)


class Halved(Softmax):
  """Another `share`, in blocks as at once, though it does not say so."""

  def share(self, scores: Scores, allowed: Allowed, rows: Rows) -> Weights:
    return super().share(scores, allowed, rows) / 2.0


class Plain(Exponential):
  """A divisor of rows that somebody sees: that of nobody is 0."""

  def divisor(self, rows: Rows) -> Any:
    return rows.total


class Gained(Softmax):
  """Learned in `numerators`, which are infinite where they are forbidden."""

  @nn.compact
  def numerators(self, scores: Scores, rows: Rows) -> Weights:
    gain = self.param("gain", nn.initializers.ones, (scores.shape[1],))
    # No number of a row of nobody, whose top is the lowest, may have a square.
    gain = gain[None, :, None, None] * (1.0 + 1e-4 * scores**2)
    return gain * super().numerators(scores, rows)


class Dropped(Softmax):
  """Weights of whole rows, changed after they were made."""

  def __call__(self, scores: Scores, allowed: Allowed) -> Weights:
    return 2.0 * super().__call__(scores, allowed)


class Noisy(Softmax):
  """Draws random numbers."""

  def numerators(self, scores: Scores, rows: Rows) -> Weights:
    noise = jax.random.uniform(self.make_rng("dropout"), scores.shape)
    return noise * super().numerators(scores, rows)


class Cubed(Normalizer):
  """Numerators alone, which forbidden keys would make infinite."""

  online = True

  def numerators(self, scores: Scores, rows: Rows) -> Weights:
    return scores**3


def by_forms(run: Any) -> Any:
  """What `run` gives at once, and in blocks of four."""
  wanted = jax.tree.map(np.asarray, run("dense"))
  with blocks_of(4):
    return wanted, jax.tree.map(np.asarray, run("blockwise"))


def run(normalizer: Normalizer, form: Any, padding: int = 0) -> Any:
  q, k, v, _, seed = map(jnp.asarray, drawn(11, 11))
  side = Side(jnp.broadcast_to(jnp.arange(11)[None], (2, 11)))
  if padding:
    inside = (side.positions < 11 - padding).astype(int)
    side = side._replace(segments=inside)

  def loss(q: Any, k: Any, v: Any) -> Any:
    parts = Parts(normalizer=normalizer)
    y, _ = attend(q, k, v, side, side, Causal(), parts, evaluation=form)
    return jnp.sum(y * seed), y

  return jax.jit(jax.grad(loss, (0, 1, 2), has_aux=True))(q, k, v)


@pytest.mark.parametrize("normalizer", [Clipped, Doubled, Halved, Cubed])
def test_blocks_read_what_all_scores_at_once_do(normalizer):
  (wanted, y), (found, mine) = by_forms(lambda form: run(normalizer(), form))
  assert_close(mine, y, level="core")
  assert_close(found, wanted, level="core", gradient=True)
  plain = run(Softmax(), "dense")[1]
  assert np.abs(np.asarray(y - plain)).max() > 1e-2  # it is not forgotten


@pytest.mark.parametrize("more", [0, 3], ids=["whole", "with padding"])
def test_a_divisor_of_nobody_may_be_zero(more):
  """In the rows that blocks add, and in those of padding."""
  wanted, found = by_forms(lambda form: run(Plain(), form, more))
  assert_close(found[1], wanted[1], level="core")
  assert_close(found[0], wanted[0], level="core", gradient=True)


@pytest.mark.parametrize("padding", [0, 3])
def test_what_numerators_learn_has_a_gradient(padding):
  """Though exp(0 − top) is infinite in a row of nobody and of low scores."""
  length = 11
  x = jnp.sin(jnp.arange(length * 8.0)).reshape(1, length, 8)
  places = Places(
    whole(x).positions,
    (jnp.arange(length) < length - padding).astype(int)[None],
  )

  def slope(form: Any) -> Any:
    layer = Attention(
      heads=2,
      normalizer=Gained(),
      evaluation=form,
      score_mod=lambda score, *_: score - 100.0,
    )
    variables = layer.init(jax.random.key(0), x, places)
    y = jax.jit(jax.grad(lambda v: jnp.sum(layer.apply(v, x, places) ** 2)))
    return y(variables)["params"]["normalizer"]["gain"]

  wanted, found = by_forms(slope)
  assert_close(found, wanted, level="core", gradient=True)
  assert np.abs(wanted).min() > 1e-2


def test_weights_of_whole_rows_are_not_made_in_blocks():
  parts = Parts(normalizer=Dropped())
  assert choose("auto", parts, 4096, 4096).form == "dense"
  with pytest.raises(ValueError, match="normalizer = Dropped needs whole rows"):
    choose("blockwise", parts, 4096, 4096)


def test_who_draws_is_named_in_blocks():
  x = jnp.ones((1, 11, 8))
  rngs = {"params": jax.random.key(0), "dropout": jax.random.key(1)}
  layer = Attention(normalizer=Noisy(), evaluation="blockwise")
  message = "Noisy draws random numbers; allowed: .*evaluation = 'dense'"
  with pytest.raises(ValueError, match=message):
    layer.init(rngs, x, whole(x))
  layer.clone(evaluation="dense").init(rngs, x, whole(x))


def test_numerators_in_float16_stay_in_its_range():
  """They are squares: only what is divided fits."""
  q, k, v = (
    jnp.asarray(x, jnp.float16)
    for x in np.sin(np.arange(2112.0)).reshape(3, 1, 11, 2, 32)
  )
  side = Side(jnp.arange(11)[None])

  def read(form: Any) -> Any:
    parts = Parts(normalizer=SquaredReLU())
    return attend(14 * q, 8 * k, v, side, side, Full(), parts, evaluation=form)[
      0
    ]

  wanted, found = by_forms(read)
  np.testing.assert_allclose(found, wanted, rtol=4e-3, atol=16.0)
  assert np.abs(wanted).max() > 4096.0


def test_gradients_of_float16_stay_in_its_range():
  """A part in thousands of small slopes is below all that float16 has."""
  length = 512
  generator = np.random.default_rng(3)
  draw = [generator.normal(size=(1, length, 1, 8)) for _ in range(3)]
  q, k, v = (
    jnp.asarray(x * size, jnp.float16)
    for x, size in zip(draw, (0.01, 10.0, 1.0), strict=True)
  )
  side = Side(jnp.arange(length)[None])

  def slope(form: Any, kind: Any) -> Any:
    def loss(q: Any) -> Any:
      given = (x.astype(kind) for x in (q, k, v))
      y, _ = attend(*given, side, side, Causal(), Parts(), evaluation=form)
      return 1e-4 * jnp.sum(y.astype(jnp.float32))

    return np.asarray(jax.jit(jax.grad(loss))(q.astype(jnp.float32)))

  wanted = slope("dense", jnp.float32)
  apart = [
    np.abs(slope(form, jnp.float16) - wanted).max() / np.abs(wanted).max()
    for form in ("blockwise", "dense")
  ]
  assert apart[0] < 3 * apart[1], apart
