"""Normalisers that a user writes: in blocks what they are at once."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.evaluations.attention.attend import attend
from research.evaluations.attention.base import Side
from research.evaluations.attention.rules import Parts
from research.masks import Causal
from research.normalizers.base import Allowed, Normalizer, Rows, Weights
from research.normalizers.softmax import Softmax
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


class Cubed(Normalizer):
  """Numerators alone, which forbidden keys would make infinite."""

  online = True

  def numerators(self, scores: Scores, rows: Rows) -> Weights:
    return scores**3


def run(normalizer: Normalizer, form: Any) -> Any:
  q, k, v, _, seed = map(jnp.asarray, drawn(11, 11))
  side = Side(jnp.broadcast_to(jnp.arange(11)[None], (2, 11)))

  def loss(q: Any, k: Any, v: Any) -> Any:
    parts = Parts(normalizer=normalizer)
    y, _ = attend(q, k, v, side, side, Causal(), parts, evaluation=form)
    return jnp.sum(y * seed), y

  return jax.jit(jax.grad(loss, (0, 1, 2), has_aux=True))(q, k, v)


@pytest.mark.parametrize("normalizer", [Clipped, Doubled, Cubed])
def test_blocks_read_what_all_scores_at_once_do(normalizer):
  wanted, y = run(normalizer(), "dense")
  with blocks_of(4):
    found, mine = run(normalizer(), "blockwise")
  assert_close(mine, np.asarray(y), level="core")
  assert_close(
    found, jax.tree.map(np.asarray, wanted), level="core", gradient=True
  )
  plain = run(Softmax(), "dense")[1]
  assert np.abs(np.asarray(y - plain)).max() > 1e-2  # it is not forgotten


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
