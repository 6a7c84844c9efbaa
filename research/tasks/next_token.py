"""The next token: the objective of a decoder alone (Bengio 2003)."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from research.record import check_number
from research.shapes import RandomKey
from research.tasks.base import Example
from research.tasks.wrapped import Wrapped


@dataclasses.dataclass(frozen=True)
class NextToken(Wrapped):
  """Every token of another task's rows is asked for at the one before it.

  Formula: label_t = x_{t+1}, where t + 1 is of the same sequence.

    inputs  3 9 5 6
    labels  9 5 6

  The last token of a sequence has weight 0. Labels and slices of the wrapped
  task are not used: what of a row can be foretold is mixed with what cannot.
  A model that sees t + 1 scores 1, so that mixers have to be causal.

  Scores: `chance` is the share of the most frequent token, told from 4,096
  examples. Cost: O(L) beside the task's own.

  Attributes:
    task: whose rows these are; `--task.task.length` changes its length.
  """

  def __post_init__(self) -> None:
    self.check_tokens()
    check_number(self.task, "length", 2, why="for a token and the next one")

  @property
  def vocabulary(self) -> int:
    return self.task.vocabulary

  @property
  def classes(self) -> int:
    return self.task.vocabulary

  def sample(self, key: RandomKey) -> Example:
    example = self.task.sample(key)
    segments = example.places.segments
    inside = (segments[1:] == segments[:-1]) & (segments[1:] > 0)
    inside = jnp.pad(inside, (0, 1))
    targets = jnp.pad(example.inputs[1:], (0, 1))
    return Example(
      inputs=example.inputs,
      places=example.places,
      targets=jnp.where(inside, targets, 0),
      weights=inside.astype(jnp.float32),
      at=None,
      slices={},
    )

  def oracle(self, inputs: Sequence[Any]) -> list[Any]:
    return [*inputs[1:], None]
