"""The table of tolerances accepts what is close and nothing else."""

import jax.numpy as jnp
import numpy as np
import pytest

from tests.tolerance import assert_close, bound

REFERENCE = np.linspace(-3.0, 2.0, 12)


@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize("level", ["core", "module", "model"])
@pytest.mark.parametrize("length", [16, 64, 1024])
def test_the_bound_is_where_the_table_says(level, length, gradient):
  size = {"core": 2e-6 * (length / 64) ** 0.5, "module": 1e-5, "model": 1e-4}
  allowed = size[level] * (4 if gradient else 1) * 3.0

  def compare(off):
    near = REFERENCE + np.array([off] + [0.0] * 11)
    actual = jnp.asarray(near, jnp.float32)
    # The array as float32 holds it, so that rounding is not part of the error.
    reference = np.asarray(actual, np.float64) - np.array([off] + [0.0] * 11)
    assert_close(
      actual, reference, level=level, length=length, gradient=gradient
    )

  compare(0.9 * allowed)
  with pytest.raises(AssertionError, match="the array: error"):
    compare(1.2 * allowed)


def test_bfloat16_has_one_bound():
  near = jnp.asarray([1.0, 0.5], jnp.bfloat16)
  assert_close(near, np.array([1.0, 0.509]), level="core", gradient=True)
  with pytest.raises(AssertionError):
    assert_close(near, np.array([1.0, 0.511]), level="model", gradient=True)
  assert bound(jnp.bfloat16, "core", 4096, False) == 1e-2


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_never_close(bad):
  actual = jnp.array([1.0, bad])
  with pytest.raises(AssertionError):
    assert_close(actual, np.array([1.0, 1.0]), level="model")
  with pytest.raises(AssertionError):
    assert_close(jnp.ones(2), np.array([1.0, bad]), level="model")


def test_a_zero_reference_wants_zeros():
  assert_close(jnp.zeros(3), np.zeros(3), level="core")
  with pytest.raises(AssertionError, match="error inf"):
    assert_close(jnp.full(3, 1e-30), np.zeros(3), level="core")


def test_trees_are_compared_leaf_by_leaf():
  tree = {"large": jnp.full(2, 1e6), "small": jnp.full(2, 1e-6)}
  assert_close(tree, dict(tree), level="core")
  off = {**tree, "small": jnp.full(2, 2e-6)}
  with pytest.raises(AssertionError, match="small"):
    assert_close(off, tree, level="core")
  with pytest.raises(AssertionError, match="structures"):
    assert_close(tree, {"large": tree["large"]}, level="core")
  with pytest.raises(AssertionError, match="shapes"):
    assert_close(jnp.ones((2, 1)), np.ones(2), level="core")


def test_what_the_table_lacks_is_refused():
  with pytest.raises(ValueError, match="dtype = int32 .*float32"):
    assert_close(jnp.ones(2, jnp.int32), np.ones(2), level="core")
  with pytest.raises(ValueError, match="level = 'layer'.*'core'"):
    assert_close(jnp.ones(2), np.ones(2), level="layer")
