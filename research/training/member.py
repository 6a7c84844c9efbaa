"""A member: one seed and one learning rate of a variant, and its state."""

import dataclasses
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from research.shapes import RandomKey
from research.training.optimizer import optimizer
from research.training.plan import Plan
from research.training.record import Training

RUNNING, REACHED, DIVERGED, FINISHED = range(4)
STATUS = ("running", "reached", "diverged", "finished")

Domain = Literal[
  "train", "validation", "test", "parameters", "dropout", "order"
]
_DOMAINS: tuple[Domain, ...] = get_args(Domain)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Member:
  """The traced scalars that tell the members of a variant apart.

  A stack of members has the first axis `m`. `index` counts over all members
  of the variant on all machines; −1 marks a filler that never runs.
  """

  index: Any
  seed: Any
  learning_rate: Any
  weight_decay: Any
  examples: Any


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class State:
  """All that changes while a member is trained.

  Attributes:
    parameters: the `params` collection.
    optimizer: of optax.
    step: Int[], gradient steps taken.
    status: Int[], RUNNING, REACHED, DIVERGED or FINISHED.
    loss: Float[], validation loss at the last evaluation.
    score: Float[], validation score at the last evaluation; NaN if diverged.
  """

  parameters: Any
  optimizer: Any
  step: Any
  status: Any
  loss: Any
  score: Any


def members(training: Training, multiple: int = 1) -> Member:
  """The stacked members of a sweep, filled up to a multiple of devices.

  Seeds change slowest: member = seed · rates + rate.
  """
  rates = len(training.learning_rates)
  index = np.arange(training.seeds * rates)
  count = -(-len(index) // multiple) * multiple
  index = np.pad(index, (0, count - len(index)), constant_values=-1)
  rate = np.asarray(training.learning_rates, np.float32)[index % rates]
  return Member(
    index=index.astype(np.int32),
    seed=np.maximum(index // rates, 0).astype(np.uint32),
    learning_rate=rate,
    weight_decay=np.full(count, training.weight_decay, np.float32),
    examples=np.full(count, training.examples, np.int32),
  )


def root(seed: Array, domain: Domain) -> RandomKey:
  """The key that all randomness of one kind comes from.

  It depends on the seed alone, so that variants see the same data.
  """
  return jax.random.fold_in(jax.random.key(seed), _DOMAINS.index(domain))


def initialise(plan: Plan, member: Member) -> State:
  """The state before the first step. Under `lax.map`, never `vmap`."""
  example = jax.eval_shape(
    plan.task.batch, jax.random.split(jax.random.key(0), 1)
  )
  given = jax.tree.map(
    lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), example.given()
  )
  key = root(member.seed, "parameters")
  parameters = plan.model.init(key, **given)["params"]
  update = optimizer(plan.training, member.learning_rate, member.weight_decay)
  return State(
    parameters=parameters,
    optimizer=update.init(parameters),
    step=jnp.zeros((), jnp.int32),
    status=jnp.where(member.index < 0, FINISHED, RUNNING).astype(jnp.int32),
    loss=jnp.full((), jnp.nan, jnp.float32),
    score=jnp.full((), jnp.nan, jnp.float32),
  )
