"""What is kept of a trained variant: its chosen rate, scores and costs."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from research.experiment import (
  Variant,
)
from research.training.cost import Costs
from research.training.measures import MEASURES
from research.training.train import Trained
from research.training.written import ERROR_RATE, SEQUENCE_ACCURACY

_COUNTED = ("edits", "sizes")

Outcome = dict[str, Any]
"""The measured numbers of one variant, as plain JSON data."""


def outcome(
  variant: Variant,
  trained: Trained,
  costs: Costs,
  different: Mapping[str, int] | None = None,
) -> Outcome:
  """All that is kept of a trained variant, but for its parameters.

  Args:
    variant: what was trained.
    trained: what came out.
    costs: what was counted before.
    different: of the tests whose examples repeat, how many are different.
  """
  different = different or {}
  metric = variant.task.objective.metric
  lost = np.array([status == "diverged" for status in trained.status])
  scores = []

  def most(task: str) -> float:
    return different.get(task, math.inf) / variant.training.seeds

  for task, arrays in trained.tests.items():
    scores += _scores(task, metric, arrays, lost, most(task))
  for task, arrays in trained.written.items():
    scores += _written(task, arrays, lost, most(task))
  for measure, arrays in trained.measures.items():
    # Before training no member is lost.
    gone = lost & (measure in MEASURES)
    scores += _sliced("test", measure, arrays, gone, most("test"))
  chosen = choose(variant, trained, scores)
  seconds = max(trained.train_seconds, 1e-9)
  return {
    "seeds": variant.training.seeds,
    "learning_rates": list(variant.training.learning_rates),
    "chosen": chosen,
    "target": variant.training.target,
    "status": trained.status,
    "steps": trained.steps.tolist(),
    "validation": trained.validation.tolist(),
    "scores": scores,
    **dataclasses.asdict(costs),
    "temporary_bytes": trained.temporary_bytes,
    "compile_seconds": trained.compile_seconds,
    "train_seconds": trained.train_seconds,
    "examples_per_second": trained.examples / seconds,
  }


def choose(
  variant: Variant, trained: Trained, scores: list[dict[str, Any]]
) -> int:
  """The index of the learning rate with the best mean score over seeds.

  By validation, or by test where the record says so; a rate with a diverged
  seed comes last. Equal scores are decided by fewer steps, then by the
  smaller rate.
  """
  if variant.training.selection == "test":
    values = np.asarray(scores[0]["values"])
  else:
    values = trained.validation
  rates = variant.training.learning_rates
  values = np.nan_to_num(values, nan=-np.inf).reshape(-1, len(rates))
  steps = trained.steps.reshape(-1, len(rates))
  return min(
    range(len(rates)),
    key=lambda i: (-values[:, i].mean(), steps[:, i].sum(), rates[i]),
  )


def _scores(
  task: str,
  metric: str,
  arrays: Mapping[str, np.ndarray],
  lost: np.ndarray,
  most: float,
) -> list[dict[str, Any]]:
  """Means [m] of score and loss of a test task."""
  found = _sliced(task, metric, arrays, lost, most)
  weight = arrays["weight"].astype(np.float64)
  loss = _score(task, "all", "loss", arrays["loss"], weight, lost, most)
  return [found[0], loss, *found[1:]]


def _written(
  task: str, arrays: Mapping[str, np.ndarray], lost: np.ndarray, most: float
) -> list[dict[str, Any]]:
  """Error rate and sequence accuracy of what was written."""
  slices = {name: x for name, x in arrays.items() if name not in _COUNTED}
  edits, sizes = (arrays[name].astype(np.float64) for name in _COUNTED)
  rate = {"score": edits / np.maximum(sizes, 1), "weight": sizes, **slices}
  right = {"score": 1.0 * (edits == 0), "weight": np.ones_like(edits), **slices}
  return [
    *_sliced(task, ERROR_RATE, rate, lost, most),
    *_sliced(task, SEQUENCE_ACCURACY, right, lost, most),
  ]


def _sliced(
  task: str,
  metric: str,
  arrays: Mapping[str, np.ndarray],
  lost: np.ndarray,
  most: float,
) -> list[dict[str, Any]]:
  """Means [m] of one metric over all slices; all examples come first.

  `most` is the number of independent examples that each seed has at most.
  """
  weight = arrays["weight"].astype(np.float64)
  parts = {"all": weight}
  for name in sorted(set(arrays) - {"loss", "score", "weight"}):
    # Fillers carry values too: only what is scored makes a slice.
    for value in np.unique(arrays[name][weight > 0]):
      parts[f"{name}={value}"] = weight * (arrays[name] == value)
  return [
    _score(task, part, metric, arrays["score"], inside, lost, most)
    for part, inside in parts.items()
  ]


def _score(
  task: str,
  part: str,
  metric: str,
  score: np.ndarray,
  weight: np.ndarray,
  lost: np.ndarray,
  most: float,
) -> dict[str, Any]:
  """A mean for each member: NaN where it diverged, or has no example."""
  total = weight.sum(axis=(1, 2))
  values = np.full(total.shape, np.nan)
  sums = np.where(weight > 0, score * weight, 0.0).sum(axis=(1, 2))
  np.divide(sums, total, out=values, where=(total > 0) & ~lost)
  # Positions of one example are no independent trials: examples are.
  examples = (weight.sum(axis=2) > 0).sum(axis=1)
  return {
    "task": task,
    "slice": part,
    "metric": metric,
    "values": values.tolist(),
    "examples": min(float(examples.min()), most),
  }
