"""One line of the table of tasks."""

import dataclasses
from typing import Any

from research.tasks.base import Task


@dataclasses.dataclass(frozen=True)
class TaskCase:
  """A record, and what must be true of it beside the laws.

  Attributes:
    task: the record.
    chance: what the docstring says of the best constant, or of the best
      position-wise answer.
    position_wise: whether the docstring says that a table from tokens to
      answers scores no more than `chance` either.
    told: whether the inputs tell the targets, so that there is an oracle.
    refused: fields that must not be accepted, each in a record of its own.
  """

  task: Task
  chance: float
  position_wise: bool = False
  told: bool = True
  refused: tuple[dict[str, Any], ...] = ()
