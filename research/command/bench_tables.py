"""What the tables of `mixerlab bench` have in common."""

import importlib.util
import statistics
from collections.abc import Mapping, Sequence

import jax

from research.bench.device import accelerated

Rounds = Mapping[tuple[str, str], Sequence[float]]
"""Calls a second of every contender, by its name and what it is timed at (a
length, a batch, a number of layers), round by round."""

Data = dict[str, dict[str, list[float]]]
"""The same as plain JSON data: by name, then by what it is timed at."""


def has_torch(*, on_gpu: bool = False) -> bool:
  """Whether PyTorch can be timed as well, where our programs run.

  Args:
    on_gpu: whether it is timed on a GPU too; else on a CPU alone.
  """
  if importlib.util.find_spec("torch") is None:
    return False
  if not accelerated():
    return True
  import torch

  return on_gpu and torch.cuda.is_available()


def has_cudnn() -> bool:
  """Whether our programs run on a GPU that cuDNN knows."""
  return "cuda" in jax.devices()[0].client.platform_version


def plain(found: Mapping[tuple[str, str], Sequence[float]]) -> Data:
  """Rounds as they are written to a file."""
  data: Data = {}
  for (name, of), values in found.items():
    data.setdefault(name, {})[of] = [*values]
  return data


def ratio(own: Sequence[float], other: Sequence[float]) -> float:
  """The median of the ratios within a round.

  What slows a whole round slows both, and is no part of it.
  """
  return statistics.median(a / b for a, b in zip(own, other, strict=True))
