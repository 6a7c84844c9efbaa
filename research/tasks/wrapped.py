"""What tasks have in common that ask something else of another task's rows."""

import dataclasses
import functools

import jax
import numpy as np

from research.tasks.base import Split, Task

_EXAMPLES = 4096
"""From which the most frequent answer is told."""


@dataclasses.dataclass(frozen=True)
class Wrapped(Task):
  """The rows of another task, asked for something else. Abstract.

  Attributes:
    task: whose rows these are; `--task.task.length` changes its length.
  """

  task: Task

  def check_tokens(self) -> None:
    """Refuses a task whose rows are not one sequence of tokens.

    Raises:
      ValueError: it has vectors, or a source apart.
    """
    if not self.task.vocabulary or self.task.reads_source:
      raise ValueError(
        f"task = {type(self.task).__name__}; allowed: a task of one sequence "
        "of tokens, as Joined makes of a source and its target"
      )

  @property
  def length(self) -> int:
    return self.task.length

  @property
  def positions(self) -> int | None:
    return self.task.positions

  @property
  def examples(self) -> int | None:
    return self.task.examples

  @property
  def chance(self) -> float:
    return _most_frequent(self)

  def split(self, name: Split) -> "Wrapped":
    return dataclasses.replace(self, task=self.task.split(name))


@functools.lru_cache(maxsize=64)
def _most_frequent(task: Task) -> float:
  """The share of the most frequent target, in examples of fixed keys."""
  keys = jax.random.split(jax.random.key(0), _EXAMPLES)
  batch = jax.jit(task.batch)(keys)
  weights = np.asarray(batch.weights, np.float64).ravel()
  counts = np.bincount(np.asarray(batch.targets).ravel(), weights)
  return float(counts.max() / weights.sum())
