"""A source and its target in one row, for a decoder alone."""

import dataclasses
from collections.abc import Sequence
from typing import Any, cast

import jax.numpy as jnp

from research.shapes import RandomKey
from research.tasks.base import Example, Split, Task
from research.tasks.transduction import (
  BEGIN,
  END,
  Transduction,
  glued,
  stacked,
  until,
)


@dataclasses.dataclass(frozen=True)
class Joined(Task):
  """The examples of a transduction, source and target one behind the other.

  Formula: inputs x_1 … x_n BEGIN y_1 … y_m, with the labels y_1 … y_m END from
  BEGIN on; the source is read and has no labels. Of V tokens of the source and
  C of the target, token y of the target is token V + y here, so that BEGIN is
  V and END is V + 1. Classes are numbered alike: what was written can be read
  again. With `Reverse(symbols=8)`:

    inputs   4  0  2  8 12 10 14
    labels           12 10 14  9

  Scores: as the task does without a source (`chance`). Cost: O(s + t) beside
  the task's own; the row is as long as both together.

  Attributes:
    task: from tokens to tokens.
  """

  task: Transduction

  def __post_init__(self) -> None:
    if not self.task.vocabulary:
      raise ValueError(
        f"task = {type(self.task).__name__}, whose source is no sequence of "
        "tokens; allowed: a transduction of tokens"
      )

  @property
  def vocabulary(self) -> int:
    return self.task.vocabulary + self.task.classes

  @property
  def classes(self) -> int:
    return self.vocabulary

  @property
  def length(self) -> int:
    return self.task.source_length + self.task.length

  @property
  def positions(self) -> int | None:
    return self.length

  @property
  def examples(self) -> int | None:
    return self.task.examples

  @property
  def chance(self) -> float:
    return self.task.chance

  def split(self, name: Split) -> "Joined":
    task = cast(Transduction, self.task.split(name))
    return dataclasses.replace(self, task=task)

  def sample(self, key: RandomKey) -> Example:
    example, first = self.task.sample(key), self.task.vocabulary
    tokens, places = example.source
    used = example.weights > 0
    sizes = jnp.stack([jnp.sum(places.segments > 0), jnp.sum(used)])
    pieces = stacked(tokens, first + example.inputs)
    row, count = glued(pieces, sizes, self.length)
    at = sizes[0] + jnp.arange(self.task.length)
    return Example(
      inputs=row,
      places=until(count, self.length),
      targets=jnp.where(used, first + example.targets, 0),
      weights=example.weights,
      at=jnp.where(used, at, 0),
      slices=example.slices,
    )

  def oracle(self, inputs: Sequence[Any]) -> list[Any]:
    first = self.task.vocabulary
    begin = inputs.index(first + BEGIN)
    written = [*self.task.oracle(inputs[:begin]), END]
    answers = [None] * begin + [first + token for token in written]
    return answers + [None] * (len(inputs) - len(answers))
