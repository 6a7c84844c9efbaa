"""Members over devices: the same numbers, wherever and beside whom."""

import dataclasses

import jax
import numpy as np
import pytest

from research.training.devices import spread
from tests.tolerance import assert_close
from tests.training.problem import TRAINING, host, one, programs, same, trained

LAYOUTS = {
  "vmap": (1, 1, True),
  "2 devices": (2,),
  "4 devices": (4,),
  "members and batches shared": (2, 2),
}


@pytest.fixture(scope="module")
def mapped():
  return trained(programs(TRAINING), 20)


def test_a_member_among_others_is_the_member_alone_bit_for_bit(mapped):
  alone = dataclasses.replace(TRAINING, learning_rates=(1e-2,), seeds=1)
  states, losses = trained(programs(alone), 20)
  assert same(losses[:, 0], mapped[1][:, 0])
  assert same(one(states[-1], 0), one(mapped[0][-1], 0))


def test_members_differ_by_seed_and_by_rate(mapped):
  states, losses = mapped
  parameters = [one(states[-1].parameters, m) for m in range(4)]
  assert not any(same(parameters[0], other) for other in parameters[1:])
  # The first loss is that of the start: seeds differ, rates do not yet.
  assert losses[0, 0] == losses[0, 1] != losses[0, 2] == losses[0, 3]


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_the_first_20_losses_are_the_same_on_any_layout(layout, mapped):
  _, losses = trained(programs(TRAINING, layout), 20)
  assert losses.shape == (20, 4)
  assert_close(losses, mapped[1].astype(np.float64), level="model")


def test_fillers_never_run():
  three = dataclasses.replace(TRAINING, learning_rates=(1e-2,), seeds=3)
  compiled = programs(three, (2,), tested=True)
  assert compiled.real == 3
  assert np.array(compiled.members.index).tolist() == [0, 1, 2, -1]
  start = host(compiled.start())
  state, losses = compiled.chunk(compiled.start())
  assert np.array(state.step).tolist() == [1, 1, 1, 0]
  assert np.isnan(losses).tolist() == [False] * 3 + [True]
  assert same(one(host(state), 3), one(start, 3))
  tested = compiled.tests["test"](state.parameters)
  assert {len(value) for value in tested.values()} == {3}


@pytest.mark.parametrize(
  ("members", "groups", "shards"),
  [(1, 1, 4), (2, 2, 2), (3, 2, 2), (4, 4, 1), (9, 4, 1)],
)
def test_devices_go_to_members_first(members, groups, shards):
  layout = spread(members, 8)
  assert (layout.groups, layout.shards) == (groups, shards)
  assert layout.mesh.size == len(jax.devices())


def test_a_batch_that_does_not_divide_is_refused():
  with pytest.raises(ValueError, match="training.batch = 6 .* 4 devices"):
    spread(1, 6)
  with pytest.raises(ValueError, match="allowed: a multiple of 2"):
    spread(2, 7)
  assert spread(4, 7).shards == 1


def test_on_cpu_members_of_a_device_run_one_after_the_other():
  assert not spread(4, 8).together
