"""What functions need at the end of a sequence, and of what they close over."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.evaluations.attention.attend import attention
from research.masks import Causal
from tests.evaluations.attention.problem import drawn
from tests.small_blocks import blocks_of
from tests.tolerance import assert_close


@pytest.fixture(autouse=True)
def small_blocks():
  with blocks_of(4):
    yield


@pytest.mark.parametrize("t", [8, 11])
def test_what_is_added_to_the_end_has_a_slope(t):
  """A root has none at the score 0, which nobody has here."""

  def run(form: Any) -> Any:
    q, k, v, _, seed = map(jnp.asarray, drawn(t, t))

    def read(*given: Any) -> Any:
      y = attention(*given, mask=Causal(), score_mod=root, evaluation=form)
      return jnp.sum(y * seed), y

    slopes, y = jax.jit(jax.grad(read, (0, 1, 2), has_aux=True))(q, k, v)
    return y, slopes

  def root(score: Any, *_: Any) -> Any:
    return jnp.sign(score) * jnp.sqrt(jnp.abs(score))

  (y, slopes), (mine, found) = run("dense"), run("blockwise")
  assert_close(mine, np.asarray(y), level="core")
  wanted = jax.tree.map(np.asarray, slopes)
  assert_close(found, wanted, level="core", gradient=True)


@pytest.mark.parametrize("table", [jnp.float8_e4m3fn, jnp.bfloat16])
def test_tables_of_few_bits_under_strict_promotion(table):
  q, k, v, _, seed = map(jnp.asarray, drawn(11, 11))
  rates = jnp.asarray([0.5, 2.0], table)

  def run(form: Any) -> Any:
    def loss(q: Any, rates: Any) -> Any:
      def scaled(score: Any, b: Any, h: Any, *_: Any) -> Any:
        return score * rates[h].astype(jnp.float32)

      y = attention(q, k, v, score_mod=scaled, evaluation=form)
      return jnp.sum(y.astype(jnp.float32) * seed)

    with jax.numpy_dtype_promotion("strict"):
      return jax.grad(loss, (0, 1))(q, rates)

  (found, mine), (wanted, other) = run("blockwise"), run("dense")
  assert_close(found, np.asarray(wanted), level="core", gradient=True)
  assert mine.dtype == other.dtype == table
  mine, other = (np.asarray(x, np.float32) for x in (mine, other))
  np.testing.assert_allclose(mine, other, rtol=float(jnp.finfo(table).eps))
