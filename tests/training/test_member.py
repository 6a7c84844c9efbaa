"""Members and their keys."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from research.training.evaluation import one_by_one
from research.training.member import (
  FINISHED,
  RUNNING,
  initialise,
  members,
  root,
)
from research.training.plan import plan
from research.training.record import Training
from research.training.step import example_keys
from tests.training.problem import (
  MODEL,
  TASK,
  TRAINING,
  member,
  one,
  ready,
  same,
)

DOMAINS = ("train", "validation", "test", "parameters", "dropout", "order")


def data(keys):
  return np.array(jax.random.key_data(keys)).reshape(-1, 2)


def test_members_are_pairs_of_seed_and_rate_filled_up():
  sweep = Training(
    seeds=3, learning_rates=(0.1, 0.2), weight_decay=0.3, examples=7
  )
  stack = members(sweep, 4)
  assert stack.index.tolist() == [0, 1, 2, 3, 4, 5, -1, -1]
  assert stack.seed.tolist()[:6] == [0, 0, 1, 1, 2, 2]
  np.testing.assert_allclose(stack.learning_rate[:6], [0.1, 0.2] * 3)
  assert set(stack.weight_decay.tolist()) == {np.float32(0.3).item()}
  assert set(stack.examples.tolist()) == {7}
  assert members(sweep, 3).index.tolist() == [0, 1, 2, 3, 4, 5]


def test_no_two_keys_of_any_seed_and_purpose_coincide():
  index = jnp.arange(500)
  seeds = range(4)
  streams = [
    example_keys(root(jnp.uint32(seed), domain), index)
    for seed, domain in itertools.product(seeds, DOMAINS)
  ]
  roots = [root(jnp.uint32(s), d) for s, d in itertools.product(seeds, DOMAINS)]
  keys = np.concatenate([data(stream) for stream in streams])
  keys = np.concatenate([keys, *(data(key) for key in roots)])
  assert len(np.unique(keys, axis=0)) == len(keys) == 4 * 6 * 501


def test_a_seed_decides_the_parameters_and_a_rate_does_not():
  start = jax.jit(lambda member: initialise(ready(), member))
  first, other = start(member()), start(one(stack(), 1))
  assert same(first, other)
  assert not same(first.parameters, start(one(stack(), 2)).parameters)
  assert int(first.status) == RUNNING
  filler = one(members(TRAINING, 3), 5)
  assert int(start(jax.tree.map(jnp.asarray, filler)).status) == FINISHED


def stack():
  return jax.tree.map(jnp.asarray, members(TRAINING))


def test_all_variants_of_a_seed_are_tested_on_the_same_examples():
  def seen(width: int):
    made = plan(TASK, MODEL.copy(parent=None, width=width), TRAINING)

    @jax.jit
    def check(seed):
      parameters = initialise(
        made, jax.tree.map(jnp.asarray, one(members(TRAINING), 0))
      ).parameters
      key = root(seed, "test")
      return one_by_one(made, TASK, parameters, key, TRAINING.test)

    return [check(jnp.uint32(seed)) for seed in (0, 1)]

  (wide, wide_other), (narrow, _) = seen(8), seen(4)
  assert same(wide["asked"], narrow["asked"])
  assert same(wide["weight"], narrow["weight"])
  assert not same(wide["loss"], narrow["loss"])
  assert not same(wide["asked"], wide_other["asked"])
