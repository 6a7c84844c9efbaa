import math

import jax
import numpy as np
import pytest
from scipy import stats

from research.tasks.patterns import NoisyPatterns


def sample(task, count, seed=0):
  keys = jax.random.split(jax.random.key(seed), count)
  return jax.jit(task.batch)(keys)


def test_the_patterns_of_a_seed_never_change():
  np.testing.assert_array_equal(
    NoisyPatterns(classes=3, rows=3, channels=2, seed=0).patterns,
    [
      [[-1, 1], [1, 1], [1, -1]],
      [[1, 1], [-1, 1], [1, -1]],
      [[1, 1], [1, -1], [-1, 1]],
    ],
  )


def test_the_oracle_finds_the_place():
  """+1 −1 at place 1 of the first, −1 +1 at place 2 of the second."""
  task = NoisyPatterns(classes=2, length=4, rows=2, channels=1)
  np.testing.assert_array_equal(task.patterns, [[[-1], [1]], [[1], [-1]]])
  assert task.oracle([[0.3], [0.6], [-1.4], [-0.4]]) == [1]
  assert task.oracle([[-0.4], [0.4], [-0.7], [1.1]]) == [0]


@pytest.mark.parametrize("rows, channels", [(2, 1), (4, 2), (5, 9)])
def test_patterns_are_the_same_rows_in_different_orders(rows, channels):
  classes = min(math.factorial(rows), 24)
  task = NoisyPatterns(classes=classes, rows=rows, channels=channels, seed=3)
  patterns = task.patterns
  assert patterns.shape == (classes, rows, channels)
  assert set(patterns.ravel()) == {-1, 1}
  assert len({pattern.tobytes() for pattern in patterns}) == classes
  bags = {tuple(sorted(map(tuple, p.tolist()))) for p in patterns}
  assert len(bags) == 1
  assert len(set(next(iter(bags)))) == rows


def test_another_seed_has_other_patterns_and_none_can_be_written():
  one, other = NoisyPatterns(seed=0).patterns, NoisyPatterns(seed=1).patterns
  assert not np.array_equal(one, other)
  with pytest.raises(ValueError, match="read-only"):
    one[0, 0, 0] = 0


def test_the_pattern_stands_in_bounded_noise_and_nothing_else_does():
  task = NoisyPatterns(noise=0.3)
  batch = sample(task, 200)
  inputs = np.asarray(batch.inputs)
  loud = np.abs(inputs) > 0.5
  assert (loud.sum(axis=(1, 2)) == task.rows * task.channels).all()
  starts = loud.any(axis=2).argmax(axis=1)
  targets = np.asarray(batch.targets)[:, 0]
  for x, start, target in zip(inputs, starts, targets, strict=True):
    window = x[start : start + task.rows]
    noise = window - task.patterns[target]
    assert np.abs(noise).max() <= 0.3 + 1e-6
  quiet = inputs[~loud] / 0.6 + 0.5
  assert stats.kstest(quiet, "uniform").pvalue > 1e-3
  noise = np.abs(inputs[loud]) / 0.6 - 0.7 / 0.6
  assert stats.kstest(noise, "uniform").pvalue > 1e-3


def test_places_and_classes_are_alike_likely():
  task = NoisyPatterns(classes=2, length=8, rows=3, noise=0.0)
  batch = sample(task, 3000)
  starts = np.asarray(batch.inputs).any(axis=2).argmax(axis=1)
  targets = np.asarray(batch.targets)[:, 0]
  counts = np.bincount(starts * 2 + targets, minlength=12)
  assert stats.chisquare(counts).pvalue > 1e-3
  quarters = np.asarray(batch.slices["quarter"])[:, 0]
  by_hand = np.array([0, 0, 1, 2, 2, 3])
  np.testing.assert_array_equal(quarters, by_hand[starts])
