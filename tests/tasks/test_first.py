import jax
import numpy as np
import pytest

from research.tasks.first import FirstSymbol


def sample(task, count, seed=0):
  keys = jax.random.split(jax.random.key(seed), count)
  return jax.tree.map(np.asarray, jax.jit(task.batch)(keys))


@pytest.mark.parametrize(
  "side, inputs, answers",
  [
    ("left", [1, 5, 3, 0, 0], [None, None, 1, None, None]),
    ("left", [0, 4, 4, 5, 3], [None, None, None, None, 0]),
    ("right", [3, 5, 1, 0, 0], [1, None, None, None, None]),
    ("right", [3, 4, 4, 5, 2], [2, None, None, None, None]),
  ],
)
def test_the_oracle_on_the_examples_of_the_docstring(side, inputs, answers):
  """Three symbols, the mark 3, the distractors 4 and 5."""
  task = FirstSymbol(3, 2, distances=(2, 4), side=side)
  assert task.oracle(inputs) == answers


@pytest.mark.parametrize("side", ["left", "right"])
def test_symbol_mark_and_padding_stand_where_the_distance_says(side):
  task = FirstSymbol(3, 2, distances=(1, 6, 2), side=side)
  batch = sample(task, 300)
  assert task.length == 7 and task.vocabulary == 6
  distance = batch.slices["distance"][:, 0]
  counts = np.bincount(distance, minlength=7)
  assert {*np.flatnonzero(counts)} == {1, 2, 6} and counts.max() < 140
  for row, d in enumerate(distance):
    inside = batch.inputs[row, : d + 1]
    origin, mark = (0, d) if side == "left" else (d, 0)
    assert batch.origins[row, 0] == origin and batch.at[row, 0] == mark
    assert inside[mark] == 3 and inside[origin] == batch.targets[row, 0] < 3
    between = np.delete(inside, [origin, mark])
    assert np.isin(between, (4, 5)).all()
    np.testing.assert_array_equal(batch.places.segments[row, : d + 1], 1)
    assert not batch.places.segments[row, d + 1 :].any()
