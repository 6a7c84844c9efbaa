"""Attention as one function: what it refuses, what it passes on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.evaluations.attention.attend import attention
from research.masks import Causal, Mask
from tests.evaluations.attention.problem import drawn
from tests.tolerance import assert_close

T, S = 4, 6


class Rule(Mask):
  """A mask that somebody forgot to make a record."""

  causal = True

  def allows(self, query, key):
    return key <= query

  def reach(self, length):
    return length


Q, KEYS, VALUES, *_ = map(jnp.asarray, drawn(T, S))


@pytest.mark.parametrize("form", ["dense", "blockwise", "library"])
def test_both_sides_count_from_zero(form):
  @jax.jit
  def run() -> jax.Array:
    return attention(Q, KEYS, VALUES, mask=Causal(), evaluation=form)

  y = np.asarray(run())
  assert_close(jnp.asarray(y[:, 0]), np.asarray(VALUES[:, 0]), level="core")
  assert y.shape == Q.shape and np.abs(y[:, 1] - VALUES[:, 1]).max() > 0.1


def test_values_may_be_wider_than_keys():
  wide = jnp.concatenate([VALUES, -VALUES], axis=-1)

  @jax.jit
  def run(v: jax.Array) -> jax.Array:
    return attention(Q, KEYS, v, evaluation="blockwise")

  y = run(wide)
  assert y.shape == (2, T, 2, 8)
  np.testing.assert_array_equal(y[..., :4], -y[..., 4:])


def test_an_unknown_form_is_refused(unchecked):
  with pytest.raises(ValueError, match="evaluation = 'fast'; allowed: 'auto'"):
    attention(Q, KEYS, VALUES, evaluation="fast")


def test_heads_and_masks_that_do_not_fit_are_refused(unchecked):
  three = jnp.concatenate([KEYS, KEYS[:, :, :1]], axis=2)
  with pytest.raises(ValueError, match="k has 3 heads and q 2; allowed: "):
    attention(Q, three, three)
  with pytest.raises(ValueError, match="is no record; allowed: "):
    attention(Q, KEYS, VALUES, mask=Rule())


@pytest.mark.parametrize("form", ["dense", "blockwise"])
def test_segments_are_of_both_sides(form, unchecked):
  segments = jnp.ones((2, T), int)
  with pytest.raises(ValueError, match="segments .*; allowed: "):
    jax.eval_shape(
      lambda: attention(Q, KEYS, VALUES, segments=segments, evaluation=form)
    )
