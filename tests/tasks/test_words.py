import itertools

import jax
import numpy as np
import pytest

from research.tasks.words import GroupWords


def sample(task, count, seed=0):
  keys = jax.random.split(jax.random.key(seed), count)
  return jax.tree.map(np.asarray, jax.jit(task.batch)(keys))


def test_the_oracle_on_the_example_of_the_docstring():
  """Steps +1 +1 0 −1 −1 −1 modulo 5."""
  task = GroupWords("Z5", tokens="generators", length=6)
  assert task.oracle([1, 1, 0, 2, 2, 2]) == [1, 2, 2, 1, 0, 4]


def test_the_oracle_on_parity():
  assert GroupWords("Z2", length=5).oracle([1, 0, 1, 1, 0]) == [1, 1, 0, 1, 1]


def test_the_oracle_on_permutations_of_three():
  """Of 012 021 102 120 201 210: 021, then 102, which do not commute.

  The first takes 0 1 2 to 0 2 1, the second these to 1 2 0: element 3. The
  other way round it is 1 0 2, then 2 0 1: element 4.
  """
  task = GroupWords("S3", length=2)
  assert task.oracle([1, 2]) == [1, 3]
  assert task.oracle([2, 1]) == [2, 4]


def test_the_oracle_on_even_permutations():
  """Of the even ones of four: 0231, then 1032, is 1320; else it is 2013."""
  task = GroupWords("A4", length=2)
  assert task.oracle([1, 3]) == [1, 5]
  assert task.oracle([3, 1]) == [3, 6]


def test_the_oracle_on_exchanges():
  """Tokens are 012, 021, 102 and 210, and 021 undoes itself."""
  task = GroupWords("S3", tokens="generators", length=4)
  assert task.oracle([1, 1, 3, 0]) == [1, 0, 5, 5]


@pytest.mark.parametrize(
  "group, elements, generators",
  [("Z2", 2, 2), ("Z7", 7, 3), ("S4", 24, 7), ("S5", 120, 11), ("A5", 60, 21)],
)
def test_sizes(group, elements, generators):
  task = GroupWords(group)
  assert task.classes == task.vocabulary == elements
  task = GroupWords(group, tokens="generators")
  assert (task.classes, task.vocabulary) == (elements, generators)


@pytest.mark.parametrize("group", ["Z6", "A4"])
def test_generators_reach_every_element(group):
  task = GroupWords(group, tokens="generators", length=8)
  words = itertools.product(range(task.vocabulary), repeat=4)
  reached = {task.oracle(word)[-1] for word in words}
  assert reached == set(range(task.classes))


def test_the_last_product_is_that_of_every_product():
  every = sample(GroupWords("S3", length=9), 50)
  last = sample(GroupWords("S3", length=9, scored="last"), 50)
  np.testing.assert_array_equal(every.inputs, last.inputs)
  np.testing.assert_array_equal(every.targets[:, 8:], last.targets)
  assert (last.at == 8).all() and (last.weights == 1).all()
  np.testing.assert_array_equal(every.weights[0], [0] + [1] * 8)
  wanted = [1, 2, 4, 4, 8, 8, 8, 8, 16]
  np.testing.assert_array_equal(every.slices["position"][0], wanted)
  assert (last.slices["position"] == 16).all()


def test_chance_by_hand():
  """Of the steps 0, +1 and −1 modulo 5.

  After one of them 0 has 1/3, after two (1 + 1 + 1)/9; the mean of both is
  the guess for the second and the third product.
  """
  task = GroupWords("Z5", tokens="generators", length=3)
  assert task.chance == pytest.approx(1 / 3)
  task = GroupWords("Z5", tokens="generators", length=4, scored="last")
  # After three steps: all 0, or one of each in 6 orders.
  assert task.chance == pytest.approx(7 / 27)
