import jax
import numpy as np
import pytest

from research.tasks.joined import Joined
from research.tasks.masked import MaskedTokens
from research.tasks.sorting import Sort
from research.tasks.words import GroupWords

KEYS = jax.random.split(jax.random.key(0), 4000)


def numbers(task):
  """Inputs, at, targets and weights, and the rows before they were masked."""
  keys = jax.vmap(lambda key: jax.random.split(key, 4)[0])
  batch = jax.jit(task.batch)(KEYS)
  rows = jax.jit(lambda k: task.task.batch(keys(k)).inputs)(KEYS)
  found = (batch.inputs, batch.at, batch.targets, batch.weights > 0, rows)
  return [np.asarray(array) for array in found]


def test_chosen_tokens_are_asked_for_and_the_others_untouched():
  inputs, at, targets, used, rows = numbers(MaskedTokens(GroupWords("Z7")))
  # 0.15 · 16 = 2.4
  assert used.shape[1] == 2 and used.all()
  np.testing.assert_array_equal(np.take_along_axis(rows, at, 1), targets)
  changed = inputs != rows
  np.put_along_axis(changed, at, False, axis=1)
  assert not changed.any()
  assert (at[:, 0] != at[:, 1]).all()
  counts = np.bincount(at.ravel(), minlength=16)
  assert (np.abs(counts - 500) < 5 * np.sqrt(500)).all()


def test_eight_of_ten_are_hidden_and_one_is_any_token():
  inputs, at, targets, _, _ = numbers(MaskedTokens(GroupWords("Z7")))
  shown = np.take_along_axis(inputs, at, 1)
  other = (shown != targets) & (shown != 7)
  same = shown == targets
  for found, wanted in (
    (shown == 7, 0.8),
    (other, 0.1 * 6 / 7),
    (same, 0.1 + 0.1 / 7),
  ):
    error = np.sqrt(wanted * (1 - wanted) / shown.size)
    assert found.mean() == pytest.approx(wanted, abs=5 * error)


def test_short_rows_have_one_token_chosen_and_padding_none():
  task = MaskedTokens(Joined(Sort()), share=0.25)
  inputs, at, targets, used, rows = numbers(task)
  segments = np.asarray(jax.jit(task.batch)(KEYS).places.segments)
  sizes = segments.sum(axis=1)
  wanted = np.maximum(1, np.floor(0.25 * sizes + 0.5))
  np.testing.assert_array_equal(used.sum(axis=1), wanted)
  assert np.take_along_axis(segments, at, 1)[used].all()
  chosen = np.take_along_axis(rows, at, 1)
  np.testing.assert_array_equal(chosen[used], targets[used])
  np.testing.assert_array_equal(inputs[segments == 0], 0)


def test_there_is_no_oracle():
  with pytest.raises(NotImplementedError, match="MaskedTokens has no 'oracle'"):
    MaskedTokens(GroupWords()).oracle([1, 2])
