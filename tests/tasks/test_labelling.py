import math

import jax
import numpy as np
import pytest
from scipy import stats

from research.tasks.labelling import ContextLabelling

SMALL = ContextLabelling(classes=2, length=7, distances=(1, 2))


def sample(task, count, seed=0):
  keys = jax.random.split(jax.random.key(seed), count)
  return jax.jit(task.batch)(keys)


def test_the_oracle_reads_left_and_right():
  """Three classes, offsets −1 and +1: token 2 · attribute + (0 or 1).

  Attributes 2 0 1 2 1, offsets −1 +1 −1 −1 +1, of which both ends look
  outside.
  """
  task = ContextLabelling(classes=3, length=5, distances=(1,))
  assert task.offsets == (-1, 1) and task.vocabulary == 6
  answers = task.oracle([4, 1, 2, 4, 3])
  assert answers == [None, (0 + 1) % 3, (1 + 0) % 3, (2 + 1) % 3, None]


def test_the_oracle_reads_far_and_through_synonyms():
  """Offsets +1 and +3, two synonyms: token 4 · attribute + 2 · index + synonym.

  Attributes 1 0 1 1 and offsets +3 +1 +1 +3.
  """
  task = ContextLabelling(
    classes=2, length=4, distances=(1, 3), direction="right", synonyms=2
  )
  assert task.offsets == (1, 3) and task.vocabulary == 8
  assert task.oracle([7, 0, 4, 6]) == [0, 1, 0, None]
  assert task.oracle([6, 1, 5, 7]) == [0, 1, 0, None]


def test_a_position_is_scored_where_its_other_word_is_inside():
  task = ContextLabelling(length=9, distances=(4, 1))
  batch = sample(task, 50)
  offsets = np.asarray(batch.slices["distance"] * batch.slices["side"])
  other = np.arange(9) + offsets
  np.testing.assert_array_equal(batch.weights, (0 <= other) & (other < 9))
  assert set(offsets.ravel().tolist()) == {-4, -1, 1, 4}


def test_all_tokens_are_alike_likely():
  batch = sample(ContextLabelling(classes=2, synonyms=3), 500)
  counts = np.bincount(np.asarray(batch.inputs).ravel(), minlength=48)
  assert len(counts) == 48
  assert stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize(
  "left, right, wanted",
  [
    (0, 0, {1: 0.5, 2: 0.5}),
    (1, 0, {1: 0.75, 2: 0.5}),
    (1, 1, {1: 1.0, 2: 0.5}),
    (2, 1, {1: 1.0, 2: 0.75}),
    (math.inf, 0, {1: 0.75, 2: 0.75}),
    (math.inf, math.inf, {1: 1.0, 2: 1.0}),
  ],
)
def test_the_best_by_hand(left, right, wanted):
  assert SMALL.best(left, right) == wanted


def test_the_best_from_one_side():
  task = ContextLabelling(
    classes=4, length=9, distances=(8, 1), direction="left"
  )
  assert task.best(3, 0) == {8: 0.25, 1: 1.0}
  assert task.best(0, 8) == {8: 0.25, 1: 0.25}


@pytest.mark.parametrize("left, right", [(0, 0), (1, 0), (1, 1), (2, 0)])
def test_no_table_over_a_window_beats_the_best_and_one_reaches_it(left, right):
  """A table over all windows is the most that a window can do.

  It is learnt from 20,000 sequences and tried on as many others.
  """
  batch = sample(SMALL, 40_000)
  tokens = np.asarray(batch.inputs)
  # Windows in the middle, so that none is cut off.
  middle = range(2, 5)
  keys = np.stack(
    [
      tokens[:, t - left : t + right + 1] @ 8 ** np.arange(left + right + 1)
      for t in middle
    ],
    axis=1,
  )
  targets = np.asarray(batch.targets)[:, 2:5]
  distance = np.asarray(batch.slices["distance"])[:, 2:5]
  assert np.asarray(batch.weights)[:, 2:5].all()
  counts = np.zeros((8 ** (left + right + 1), 2))
  np.add.at(counts, (keys[:20_000], targets[:20_000]), 1)
  right_answer = counts.argmax(axis=1)[keys[20_000:]] == targets[20_000:]
  for d, wanted in SMALL.best(left, right).items():
    scores = right_answer[distance[20_000:] == d]
    assert scores.mean() == pytest.approx(
      wanted, abs=5 * 0.5 / len(scores) ** 0.5
    )
