import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.tasks.base import Example, Task, packed_places
from research.tasks.next_token import NextToken


@dataclasses.dataclass(frozen=True)
class Packed(Task):
  """Two sequences of three and two tokens, and padding."""

  length: int = 6
  vocabulary: int = 10

  def sample(self, key):
    places = packed_places(jnp.array([2, 2, 2, 1, 1, 0]))
    tokens = jnp.array([3, 9, 5, 6, 7, 0])
    return Example(tokens, places, jnp.zeros(6), jnp.ones(6), None, {})


def test_examples_worked_by_hand():
  task = NextToken(Packed())
  assert task.oracle([3, 9, 5, 6]) == [9, 5, 6, None]
  example = task.sample(jax.random.key(0))
  assert example.targets.tolist() == [9, 5, 0, 7, 0, 0]
  assert example.weights.tolist() == [1, 1, 0, 1, 0, 0]
  np.testing.assert_array_equal(example.inputs, [3, 9, 5, 6, 7, 0])


def test_chance_is_the_most_frequent_of_the_three():
  assert NextToken(Packed()).chance == 1 / 3


def test_refused():
  with pytest.raises(ValueError, match="length = 1; allowed: 2 or more for"):
    NextToken(Packed(length=1))
