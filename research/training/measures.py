"""What is measured of a model before and after training, beside its scores."""

from collections.abc import Callable
from typing import Any

from jaxtyping import Array

from research.shapes import RandomKey
from research.tasks.base import Example
from research.training.alignment import ALIGNMENT, MONOTONICITY, looks
from research.training.evaluation import each
from research.training.gradients import GRADIENT, gradients
from research.training.plan import Plan
from research.training.slopes import SLOPE, slopes

Found = dict[str, dict[str, Array]]
"""By metric: scores, weights and slices."""


def _slopes(plan: Plan, parameters: Any, key: RandomKey, count: int) -> Found:
  """Of test examples, each [count a]."""

  def judged(example: Example) -> dict[str, Array]:
    return {"score": slopes(plan, parameters, example)}

  return {SLOPE: each(plan, plan.task.split("test"), key, count, judged)}


def _gradients(
  plan: Plan, parameters: Any, key: RandomKey, count: int
) -> Found:
  return {GRADIENT: gradients(plan, parameters, key, count)}


Measuring = Callable[[Plan, Any, RandomKey, int], Found]
"""(plan, parameters, key of examples, how many) → what was found."""

MEASURES: dict[str, Measuring] = {
  SLOPE: _slopes,
  GRADIENT: _gradients,
  ALIGNMENT: looks,
  MONOTONICITY: looks,
}
"""By metric; before training the metric is called `initial(metric)`."""

SLICED_BY = {GRADIENT: "block", ALIGNMENT: "layer", MONOTONICITY: "layer"}
"""Where it is not what the task's scores are sliced by."""


def initial(metric: str) -> str:
  """The name of a measure before training."""
  return f"initial_{metric}"
