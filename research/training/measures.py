"""What is measured of a model before and after training, beside its scores."""

from collections.abc import Callable
from typing import Any

from jaxtyping import Array

from research.shapes import RandomKey
from research.tasks.base import Example
from research.training.alignment import (
  ALIGNMENT,
  MONOTONICITY,
  alignment,
  monotonicity,
)
from research.training.evaluation import each
from research.training.gradients import GRADIENT, gradients
from research.training.plan import Plan
from research.training.slopes import SLOPE, slopes


def _slopes(
  plan: Plan, parameters: Any, key: RandomKey, count: int
) -> dict[str, Array]:
  """Slope (as score), weight and slices of test examples, each [count a]."""

  def judged(example: Example) -> dict[str, Array]:
    return {"score": slopes(plan, parameters, example)}

  return each(plan, plan.task.split("test"), key, count, judged)


Measuring = Callable[[Plan, Any, RandomKey, int], dict[str, Array]]
"""(plan, parameters, key of examples, how many) → score, weight, slices."""

MEASURES: dict[str, Measuring] = {
  SLOPE: _slopes,
  GRADIENT: gradients,
  ALIGNMENT: alignment,
  MONOTONICITY: monotonicity,
}
"""By metric; before training the metric is called `initial(metric)`."""

SLICED_BY = {GRADIENT: "block", ALIGNMENT: "layer", MONOTONICITY: "layer"}
"""Where it is not what the task's scores are sliced by."""


def initial(metric: str) -> str:
  """The name of a measure before training."""
  return f"initial_{metric}"
