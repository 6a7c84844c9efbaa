import dataclasses
import math

import jax.numpy as jnp
import numpy as np
import pytest

from research.tasks.base import (
  CrossEntropy,
  SquaredError,
  Task,
  packed_places,
  plain_places,
)


def test_cross_entropy_by_hand():
  """Odds 1 : 3 are logits 0 and log 3; twice the same logits are log 2."""
  outputs = jnp.array([[[0.0, math.log(3.0)], [5.0, 5.0]]])
  targets = jnp.array([[1, 0]])
  loss = CrossEntropy().loss(outputs, targets)
  np.testing.assert_allclose(loss, [[math.log(4 / 3), math.log(2)]], rtol=1e-6)
  np.testing.assert_array_equal(
    CrossEntropy().score(outputs, 1 - targets), [[0, 0]]
  )
  np.testing.assert_array_equal(
    CrossEntropy().score(outputs, targets), [[1, 1]]
  )


def test_smoothed_cross_entropy_by_hand():
  """Shares 1/4, 3/4; a fifth of the target is spread over both classes."""
  outputs = jnp.array([[[0.0, math.log(3.0)]]])
  found = CrossEntropy().loss(outputs, jnp.array([[1]]), smoothing=0.2)
  wanted = -0.9 * math.log(3 / 4) - 0.1 * math.log(1 / 4)
  np.testing.assert_allclose(found, [[wanted]], rtol=1e-6)


def test_cross_entropy_is_computed_in_float32():
  outputs = jnp.array([[[100.0, 0.0]]], jnp.bfloat16)
  loss = CrossEntropy().loss(outputs, jnp.array([[1]]))
  assert loss.dtype == jnp.float32
  np.testing.assert_array_equal(loss, [[100.0]])


@pytest.mark.parametrize(
  ("target", "classes", "dtype"),
  [(-1, 2, jnp.int32), (-2, 2, jnp.int32), (2, 2, jnp.int32)]
  + [(-1, 128, jnp.int8)],  # which has no 128
)
def test_a_target_that_is_no_class_has_no_loss(target, classes, dtype):
  targets = jnp.array([[target, 1]], dtype)
  loss = CrossEntropy().loss(jnp.ones((1, 2, classes)), targets)
  np.testing.assert_array_equal(np.isnan(loss), [[True, False]])


def test_squared_error_by_hand():
  outputs, targets = jnp.array([[[1.0, 2.0]]]), jnp.array([[[3.0, 1.0]]])
  np.testing.assert_array_equal(SquaredError().loss(outputs, targets), [[5.0]])
  np.testing.assert_array_equal(
    SquaredError().score(outputs, targets), [[-5.0]]
  )


def test_an_axis_may_be_a_field_with_a_default():
  @dataclasses.dataclass(frozen=True)
  class Own(Task):
    classes: int = 4
    length: int = 8

  assert Own().chance == 1 / 4
  assert dataclasses.replace(Own(), length=3).length == 3
  assert Own().split("test") == Own()


def test_an_axis_without_a_default_is_refused_by_name():
  with pytest.raises(TypeError, match=r"^Own.length has no default; allowed"):

    class Own(Task):
      length: int


def test_positions_begin_anew_in_each_segment():
  segments = jnp.array([0, 0, 3, 3, 3, 1, 2, 2, 0])
  places = packed_places(segments)
  np.testing.assert_array_equal(places.positions, [0, 1, 0, 1, 2, 0, 0, 1, 0])
  np.testing.assert_array_equal(places.segments, segments)


def test_one_segment_is_a_plain_sequence():
  packed, plain = packed_places(jnp.ones(4, jnp.int32)), plain_places(4)
  np.testing.assert_array_equal(packed.positions, plain.positions)
  np.testing.assert_array_equal(plain.positions, [0, 1, 2, 3])
  np.testing.assert_array_equal(packed.segments, plain.segments)
