"""A chunk: its length, its mean loss, and who is frozen."""

import dataclasses

import numpy as np
import pytest

from research.training.member import (
  DIVERGED,
  FINISHED,
  REACHED,
  RUNNING,
)
from tests.training.problem import TRAINING, one, programs, same, trained


@pytest.fixture(scope="module")
def free():
  """The problem, in which nobody reaches the target."""
  return trained(programs(TRAINING), 20)


def test_a_last_chunk_is_shorter_and_takes_the_steps_that_are_left(free):
  states, losses = trained(
    programs(dataclasses.replace(TRAINING, evaluate_every=8)), 4
  )
  steps = [state.step.tolist() for state in states]
  assert steps == [[n] * 4 for n in (0, 8, 16, 20, 20)]
  status = [set(state.status.tolist()) for state in states]
  assert status == [{RUNNING}, {RUNNING}, {RUNNING}, {FINISHED}, {FINISHED}]
  expected = [free[1][a:b].mean(axis=0) for a, b in ((0, 8), (8, 16), (16, 20))]
  np.testing.assert_allclose(losses[:3], expected, rtol=1e-5)
  assert np.isnan(losses[3]).all(), "a frozen member has no loss"
  assert same(states[3], states[4])
  np.testing.assert_allclose(states[3].score, free[0][20].score, rtol=1e-5)


def test_fewer_steps_than_between_evaluations_is_one_chunk(free):
  short = dataclasses.replace(TRAINING, steps=3, evaluate_every=50)
  states, losses = trained(programs(short), 1)
  assert states[1].step.tolist() == [3] * 4
  assert states[1].status.tolist() == [FINISHED] * 4
  np.testing.assert_allclose(losses[0], free[1][:3].mean(axis=0), rtol=1e-5)


def test_who_reached_the_target_is_frozen_and_the_rest_go_on(free):
  scores = np.stack([state.score for state in free[0][1:]])
  # Between the best scores of the members: some will reach it, some will not.
  best = np.unique(scores.max(axis=0))
  target = float(best[-2:].mean())
  states, _ = trained(
    programs(dataclasses.replace(TRAINING, target=target)), 20
  )
  reached = scores.max(axis=0) >= target
  assert 0 < reached.sum() < 4
  for m in range(4):
    # Up to its freezing, a member is what it is where nobody is frozen.
    last = scores[:, m] >= target
    last = int(np.argmax(last)) + 1 if reached[m] else 20
    assert states[-1].status[m] == (REACHED if reached[m] else FINISHED)
    assert states[-1].step[m] == last
    assert same(
      one(states[last], m).parameters, one(free[0][last], m).parameters
    )
    for later in states[last:]:
      assert same(one(later, m), one(states[last], m))


def test_who_diverged_is_frozen_and_the_rest_do_not_notice(free):
  wild = dataclasses.replace(TRAINING, learning_rates=(1e-2, 1e6))
  states, losses = trained(programs(wild), 20)
  assert states[-1].status.tolist() == [FINISHED, DIVERGED] * 2
  for m in (1, 3):
    steps = int(states[-1].step[m])
    assert 0 < steps < 20
    assert not np.isfinite(losses[steps - 1, m]) or not np.isfinite(
      states[-1].loss[m]
    )
    assert np.isnan(states[-1].score[m]), "NaN outputs score nothing"
    assert same(one(states[steps], m), one(states[-1], m))
  for m in (0, 2):
    assert same(losses[:, m], free[1][:, m])
    assert same(one(states[-1], m), one(free[0][-1], m))


def test_under_vmap_the_same_members_are_frozen(free):
  wild = dataclasses.replace(TRAINING, learning_rates=(1e-2, 1e6))
  states, _ = trained(programs(wild, (1, 1, True)), 20)
  assert states[-1].status.tolist() == [FINISHED, DIVERGED] * 2
  last = int(states[-1].step[1])
  assert last < 20
  assert same(one(states[last], 1), one(states[-1], 1))
  np.testing.assert_allclose(
    states[-1].loss[::2], free[0][-1].loss[::2], rtol=1e-4
  )
