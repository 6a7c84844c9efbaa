"""One tiny problem that all tests of training share, compiled once each."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from research.attention.layer import Attention
from research.models.feed_forward import FeedForward
from research.models.sequence import SequenceModel
from research.shapes import RandomKey
from research.tasks.base import Example, Task, plain_places
from research.training.devices import Spread, spread
from research.training.member import Member, State, members
from research.training.plan import Plan, plan
from research.training.programs import Programs, compile_programs
from research.training.record import Training


@dataclasses.dataclass(frozen=True)
class Before(Task):
  """Which token stood before the last, or before the last two?

  Attributes:
    asked: how many are asked for; every example draws one of these numbers.
  """

  vocabulary: int = 8
  length: int = 8
  asked: tuple[int, ...] = (1, 2)

  def __post_init__(self) -> None:
    if self.length < 3:
      raise ValueError(f"length = {self.length}; allowed: 3 or more")

  @property
  def classes(self) -> int:
    return self.vocabulary

  def sample(self, key: RandomKey) -> Example:
    for_tokens, for_number = jax.random.split(key)
    tokens = jax.random.randint(for_tokens, (self.length,), 0, self.vocabulary)
    which = jax.random.randint(for_number, (), 0, len(self.asked))
    number = jnp.asarray(self.asked)[which]
    order = jnp.arange(max(self.asked))
    at = self.length - 1 - order
    return Example(
      inputs=tokens,
      places=plain_places(self.length),
      targets=tokens[at - 1],
      weights=(order < number).astype(jnp.float32),
      at=at,
      slices={"asked": jnp.full(order.shape, number)},
    )


TASK = Before()
MODEL = SequenceModel(
  Attention(), layers=1, width=8, feed_forward=FeedForward(expansion=1)
)
TRAINING = Training(
  steps=20,
  batch=8,
  learning_rates=(1e-2, 3e-2),
  seeds=2,
  warmup=2,
  evaluate_every=1,
  validation=8,
  test=12,
  target=2.0,
)
"""Evaluated after every step, so that the host sees every loss; the target
is out of reach."""


def ready(**changes: Any) -> Plan:
  """The problem, with fields of its training replaced."""
  return plan(TASK, MODEL, dataclasses.replace(TRAINING, **changes))


def lay(groups: int, shards: int = 1, together: bool = False) -> Spread:
  """So many devices for members and for batches, `together` under vmap."""
  devices = jax.devices()[: groups * shards]
  return dataclasses.replace(spread(groups, shards, devices), together=together)


@functools.cache
def programs(
  training: Training, layout: tuple = (1,), *, tested: bool = False
) -> Programs:
  """The compiled programs of the problem with this training."""
  tests = {"test": TASK} if tested else {}
  return compile_programs(plan(TASK, MODEL, training), tests, lay(*layout))


def trained(compiled: Programs, chunks: int) -> tuple[list[State], np.ndarray]:
  """Runs chunks.

  Returns:
    The states before the first and after every chunk, and the losses
    [chunk m], both without fillers on the host.
  """
  state, losses = compiled.start(), []
  states = [host(state, compiled.real)]
  for _ in range(chunks):
    state, loss = compiled.chunk(state)
    losses.append(host(loss, compiled.real))
    states.append(host(state, compiled.real))
  return states, np.stack(losses)


def host(tree: Any, real: int | None = None) -> Any:
  """Copies of the leaves on the host, without fillers."""
  return jax.tree.map(lambda leaf: np.array(leaf)[:real], tree)


def one(tree: Any, index: int) -> Any:
  """A member of a stack."""
  return jax.tree.map(lambda leaf: leaf[index], tree)


def member(**changes: Any) -> Member:
  """The first member of the problem."""
  first = one(members(dataclasses.replace(TRAINING, **changes)), 0)
  return jax.tree.map(jnp.asarray, first)


def same(left: Any, right: Any) -> bool:
  """Whether two trees agree bit for bit, NaN included."""
  equal = jax.tree.map(
    lambda a, b: np.asarray(a).tobytes() == np.asarray(b).tobytes(), left, right
  )
  return all(jax.tree.leaves(equal))
