import itertools
import math

import jax
import numpy as np
import pytest
from scipy import stats

from research.tasks.recall import MultiQueryRecall, distinct

RARE = 1e-3
"""Fixed keys, so that a test either passes always or never."""


def sample(task, count, seed=0):
  keys = jax.random.split(jax.random.key(seed), count)
  batch = jax.jit(task.batch)(keys)
  return [np.asarray(leaf) for leaf in (batch.inputs, batch.at, batch.weights)]


def test_the_oracle_on_the_example_of_the_docstring():
  task = MultiQueryRecall(vocabulary=12, length=16, pairs=(2,))
  inputs = [3, 9, 5, 6, 0, 0, 5, 0, 0, 0, 3, 0, 0, 0, 0, 0]
  answers = task.oracle(inputs)
  assert len(answers) == 16
  assert (answers[6], answers[10]) == (6, 9)


def test_the_oracle_takes_the_pair_and_not_its_copies_in_the_filler():
  """Key 2 is repeated by filler twice, with 7 and with nothing behind it."""
  task = MultiQueryRecall(
    vocabulary=8, length=12, pairs=(1, 3), filler="random"
  )
  inputs = [2, 5, 1, 4, 2, 7, 1, 0, 2, 3, 6, 2]
  answers = task.oracle(inputs)
  assert (answers[6], answers[8], answers[11]) == (4, 5, 5)


@pytest.mark.parametrize("filler", ["zero", "random"])
def test_pairs_stand_first_and_every_key_is_asked_once(filler):
  task = MultiQueryRecall(vocabulary=32, length=28, pairs=(7, 3), filler=filler)
  inputs, at, weights = sample(task, 300)
  pairs = weights.sum(axis=1).astype(int)
  assert set(pairs) == {3, 7}
  for row, asked, count in zip(
    inputs.tolist(), at.tolist(), pairs, strict=True
  ):
    keys, values = row[0 : 2 * count : 2], row[1 : 2 * count : 2]
    assert len(set(keys)) == len(set(values)) == count
    assert all(1 <= key < 16 for key in keys)
    assert all(16 <= value < 32 for value in values)
    assert [row[position] for position in asked[:count]] == keys
    assert len(set(asked[:count])) == count
    assert all(
      position >= 2 * count and position % 2 == 0 for position in asked[:count]
    )
    assert asked[count:] == [0] * (7 - count)
    rest = set(range(2 * count, 28)) - set(asked[:count])
    if filler == "zero":
      assert not any(row[position] for position in rest)


def test_a_mixture_draws_its_numbers_alike():
  _, _, weights = sample(MultiQueryRecall(64, 32, (8, 1, 4)), 3000)
  counts = np.bincount(weights.sum(axis=1).astype(int), minlength=9)
  assert counts.sum() == counts[[1, 4, 8]].sum()
  assert stats.chisquare(counts[[1, 4, 8]]).pvalue > RARE


def test_slices_tell_the_number_of_pairs():
  task = MultiQueryRecall(64, 32, (8, 1, 4))
  keys = jax.random.split(jax.random.key(3), 50)
  batch = jax.jit(task.batch)(keys)
  number = np.asarray(batch.weights).sum(axis=1)
  np.testing.assert_array_equal(
    batch.slices["pairs"], np.repeat(number[:, None], 8, axis=1)
  )


def test_random_filler_is_any_token():
  task = MultiQueryRecall(vocabulary=16, length=32, pairs=(1,), filler="random")
  inputs, at, _ = sample(task, 2000)
  filled = np.ones(inputs.shape, bool)
  filled[:, :2] = False
  filled[np.arange(2000), at[:, 0]] = False
  counts = np.bincount(inputs[filled], minlength=16)
  assert counts.sum() == 2000 * 29
  assert stats.chisquare(counts).pvalue > RARE


@pytest.mark.parametrize("power", [0.01, 1.0])
@pytest.mark.parametrize("pairs", [(2,), (2, 4)])
def test_gaps_are_drawn_one_after_the_other_by_a_power_law(power, pairs):
  """All ordered choices of two slots, against p_i · p_j / (1 − p_i).

  With two pairs in a sequence of 16, slots are the positions 4, 6, …, 14,
  for a mixture too.
  """
  task = MultiQueryRecall(vocabulary=16, length=16, pairs=pairs, power=power)
  _, at, weights = sample(task, 12_000 if len(pairs) > 1 else 6000)
  at = at[weights.sum(axis=1) == 2]
  p = power * np.arange(1, 7) ** (power - 1.0)
  p = p / p.sum()
  orders = list(itertools.permutations(range(6), 2))
  expected = np.array([p[i] * p[j] / (1 - p[i]) for i, j in orders])
  found = [tuple((row[:2] - 4) // 2) for row in at]
  counts = np.array([found.count(order) for order in orders])
  assert counts.sum() == len(at) > 5000
  assert stats.chisquare(counts, expected * len(at)).pvalue > RARE


def test_number_key_value_and_gap_are_independent():
  """One or two pairs, keys 1 to 3, values 4 to 7, and 5 or 4 slots."""
  task = MultiQueryRecall(vocabulary=8, length=12, pairs=(1, 2), power=1.0)
  inputs, at, weights = sample(task, 12_000)
  pairs = weights.sum(axis=1).astype(int)
  slots = at[:, 0] // 2 - pairs
  counts = np.zeros((2, 3, 4, 5))
  np.add.at(counts, (pairs - 1, inputs[:, 0] - 1, inputs[:, 1] - 4, slots), 1)
  expected = np.zeros(counts.shape)
  expected[0], expected[1, ..., :4] = 6000 / 60, 6000 / 48
  assert not counts[expected == 0].any()
  found, wanted = counts[expected > 0], expected[expected > 0]
  assert stats.chisquare(found, wanted).pvalue > RARE


@pytest.mark.parametrize("count, size", [(1, 5), (3, 5), (4, 4)])
def test_every_ordered_choice_is_alike_likely(count, size):
  keys = jax.random.split(jax.random.key(7), 6000)
  draw = jax.jit(jax.vmap(lambda key: distinct(key, count, size)))
  codes = np.asarray(draw(keys)) @ size ** np.arange(count)
  wanted = {
    int(np.array(order) @ size ** np.arange(count))
    for order in itertools.permutations(range(size), count)
  }
  found, counts = np.unique(codes, return_counts=True)
  assert set(found.tolist()) == wanted
  assert len(wanted) == math.perm(size, count)
  assert stats.chisquare(counts).pvalue > RARE


def test_many_of_a_large_vocabulary_are_distinct_and_uniform():
  keys = jax.random.split(jax.random.key(8), 500)
  draw = jax.jit(jax.vmap(lambda key: distinct(key, 64, 4095)))
  numbers = np.asarray(draw(keys))
  assert all(len(set(row)) == 64 for row in numbers.tolist())
  assert numbers.min() >= 0 and numbers.max() < 4095
  for column in (0, 63):
    uniform = stats.kstest(numbers[:, column] / 4095, "uniform")
    assert uniform.pvalue > RARE


def test_nothing_in_an_example_is_as_large_as_the_vocabulary():
  task = MultiQueryRecall(vocabulary=8192, length=64, pairs=(16,))
  jaxpr = jax.make_jaxpr(task.sample)(jax.random.key(0))
  assert largest(jaxpr.jaxpr) <= 64 * 16


def largest(jaxpr):
  """The size of the largest array of a program and those inside it."""
  sizes = [0]
  for equation in jaxpr.eqns:
    sizes += [math.prod(out.aval.shape) for out in equation.outvars]
    for value in jax.tree.leaves(
      list(equation.params.values()), is_leaf=lambda v: hasattr(v, "eqns")
    ):
      inner = getattr(value, "jaxpr", value)
      if hasattr(inner, "eqns"):
        sizes.append(largest(inner))
  return max(sizes)
