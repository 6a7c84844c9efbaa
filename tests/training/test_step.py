"""One step: the data it sees, the numbers it gives, what it never makes."""

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.mixer import Mixer, leave
from research.models.feed_forward import FeedForward
from research.tasks.recall import MultiQueryRecall
from research.training.member import initialise, root
from research.training.plan import Plan, plan
from research.training.step import batch_keys, example_keys, gradient_step
from tests.cases import mixer_cases
from tests.tolerance import assert_close
from tests.training.problem import (
  MODEL,
  TASK,
  TRAINING,
  member,
  programs,
  ready,
  trained,
)

GOLDEN = (
  2.4237268, 2.5436010, 2.5824292, 2.2002249, 2.0900438, 2.0040741
)  # fmt: skip
"""Losses of the first steps of seed 0, rate 0.01, without any XLA_FLAGS. After
a change that is meant to change them, print them anew with

  python -c 'from tests.training import test_step; print(test_step.first())'
"""


def first() -> list[float]:
  """The losses of the first steps, as this process compiles them."""
  _, losses = trained(programs(TRAINING), len(GOLDEN))
  return [float(loss) for loss in losses[:, 0]]


def equations(jaxpr: Any) -> Iterator[Any]:
  """All equations of a jaxpr, inner ones too."""
  for equation in jaxpr.eqns:
    yield equation
    for value in jax.tree.leaves(
      list(equation.params.values()),
      is_leaf=lambda x: hasattr(x, "eqns") or hasattr(x, "jaxpr"),
    ):
      if hasattr(value, "eqns") or hasattr(value, "jaxpr"):
        yield from equations(getattr(value, "jaxpr", value))


def step_of(plan: Plan) -> list[Any]:
  """The equations of a gradient step."""
  state = jax.eval_shape(lambda: initialise(plan, member()))
  step = jax.make_jaxpr(lambda state: gradient_step(plan, member(), state))
  return list(equations(step(state).jaxpr))


def shapes(found: list[Any]) -> set[tuple[int, ...]]:
  return {out.aval.shape for equation in found for out in equation.outvars}


def test_the_first_losses_are_the_golden_ones():
  assert_close(np.float32(first()), np.float64(GOLDEN), level="model")


def test_a_handful_of_examples_is_learnt_by_heart():
  few = dataclasses.replace(
    TRAINING, examples=4, steps=200, evaluate_every=200, learning_rates=(0.03,)
  )
  compiled = programs(dataclasses.replace(few, seeds=1))
  state, _ = compiled.chunk(compiled.start())
  seen = compiled.tests["train"](state.parameters)
  scored = seen["weight"] > 0
  assert scored.shape[:2] == (1, 4)
  assert seen["score"][scored].mean() == 1.0
  assert seen["loss"][scored].max() < 0.05


def test_a_finite_set_of_n_uses_n_examples_and_n_is_traced():
  traces = []

  @jax.jit
  def used(examples: jax.Array) -> tuple[jax.Array, jax.Array]:
    traces.append(1)
    who = dataclasses.replace(member(), examples=examples)
    steps = jnp.arange(40)
    keys = jax.lax.map(lambda step: batch_keys(ready(), who, step, 1), steps)
    keys = keys.reshape(-1)
    return jax.random.key_data(keys), TASK.batch(keys).inputs

  for number in (1, 5, 11):
    keys, inputs = used(jnp.int32(number))
    known = example_keys(root(jnp.uint32(0), "train"), jnp.arange(number))
    known = {tuple(key) for key in np.array(jax.random.key_data(known))}
    assert {tuple(key) for key in np.array(keys)} == known
    assert len(known) == number >= len(np.unique(inputs, axis=0))
  assert len(traces) == 1
  # 0 stands for fresh examples: no key comes twice.
  keys, _ = used(jnp.int32(0))
  assert len(np.unique(keys, axis=0)) == 40 * TRAINING.batch


def test_devices_that_share_a_batch_have_parts_of_it():
  who = member(examples=7)
  whole = batch_keys(ready(), who, jnp.int32(3), 1)
  parts = jax.vmap(
    lambda _: batch_keys(ready(), who, jnp.int32(3), 4), axis_name="batch"
  )(jnp.arange(4))
  assert (parts.reshape(-1) == whole).all()


def test_logits_exist_at_scored_positions_only():
  task = MultiQueryRecall(vocabulary=48, length=16, pairs=(3,))
  made = plan(task, MODEL, dataclasses.replace(TRAINING, batch=5))
  found = shapes(step_of(made))
  assert (5, 3, 48) in found, "logits at the three queries"
  assert (5, 16, 8) in found, "the vectors of all tokens"
  assert not any(
    shape[-1:] == (48,) and np.prod(shape) >= 5 * 16 * 48 for shape in found
  )


def test_the_last_feed_forward_works_at_scored_positions_only():
  task = MultiQueryRecall(vocabulary=48, length=16, pairs=(3,))
  model = MODEL.copy(parent=None, feed_forward=FeedForward(expansion=7))
  found = shapes(step_of(plan(task, model, TRAINING)))
  assert (8, 3, 56) in found
  assert (8, 16, 56) not in found


@pytest.mark.parametrize("name", mixer_cases())
def test_a_scanned_step_holds_no_convolution(name):
  case = mixer_cases()[name]
  model = MODEL.copy(
    parent=None, mixer=case.mixer.copy(parent=None), width=case.width
  )
  task = dataclasses.replace(TASK, length=32)
  found = step_of(plan(task, model, TRAINING))
  primitives = {equation.primitive.name for equation in found}
  assert "dot_general" in primitives
  assert "conv_general_dilated" not in primitives


class Dropping(Mixer):
  """A mixer that drops by itself."""

  causal = True

  @nn.compact
  def __call__(self, x, places, *, at=None, deterministic=True, **_):
    y = nn.Dropout(0.5)(x, deterministic=deterministic)
    return leave(y, places, at)

  def state_size(self, width, length):
    return 0


def test_a_mixer_may_draw_while_training_and_not_when_tested():
  made = plan(TASK, MODEL.copy(parent=None, mixer=Dropping()), TRAINING)
  batch = TASK.batch(jax.random.split(jax.random.key(0), 4))
  parameters = initialise(made, member()).parameters

  @jax.jit
  def losses(keys):
    loss = functools.partial(made.loss, parameters, batch)
    return jax.vmap(lambda key: loss(key)[0])(keys), loss()[0]

  drawn, tested = losses(jax.random.split(jax.random.key(1), 2))
  assert drawn[0] != drawn[1]
  assert tested == losses(jax.random.split(jax.random.key(2), 2))[1]
