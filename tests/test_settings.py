"""The strict settings of the suite are in force."""

import jax
import jax.numpy as jnp
import jaxtyping
import pytest

from research.attention.layer import Attention
from research.places import whole


def test_there_are_several_devices_to_mix_up():
  assert len(jax.devices("cpu")) == 4


def test_broadcasting_over_a_missing_axis_raises():
  with pytest.raises(ValueError, match="rank promotion|rank_promotion"):
    jnp.ones((2, 3)) + jnp.ones(3)


def test_a_key_that_is_plain_integers_raises():
  with pytest.raises(ValueError, match="[Ll]egacy"):
    jax.random.uniform(jax.random.PRNGKey(0))


def test_what_is_compiled_is_kept():
  path = jax.config.jax_compilation_cache_dir
  assert path and jax.config.jax_persistent_cache_min_compile_time_secs == 0


def test_shapes_and_fields_of_modules_are_checked():
  pytest.importorskip("beartype")
  x = jnp.ones((2, 4, 8))
  places = whole(x)
  shape = jax.eval_shape(Attention(heads=2).init, jax.random.key(0), x, places)
  assert "params" in shape
  with pytest.raises(jaxtyping.TypeCheckError, match="parameter 'x'"):
    Attention(heads=2).init(jax.random.key(0), x[0], places)
  with pytest.raises(jaxtyping.TypeCheckError, match="parameter 'heads'"):
    Attention(heads="2")
