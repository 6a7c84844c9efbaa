"""The table of normalisers: one line a normaliser, with its float64 formula.

A formula takes the allowed scores of one query, temperature and cap applied,
and the parameters of one head; it shares no algorithm with the code.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.special import expit, logsumexp

from research.normalizers.base import Normalizer
from research.normalizers.entmax import Entmax15
from research.normalizers.relu import ReLU
from research.normalizers.sigmoid import Sigmoid
from research.normalizers.sink import SoftmaxSink
from research.normalizers.softmax import Softmax
from research.normalizers.sparsemax import Sparsemax
from research.normalizers.squared_relu import SquaredReLU


@dataclasses.dataclass(frozen=True)
class NormalizerCase:
  """One normaliser and what its page says about it.

  Attributes:
    normalizer: the module, unbound.
    formula: (scores, parameters by name) → weights of one query in float64.
    parameters: the documented number of parameters for a number of heads.
    sums_to_one: whether the weights of every query do that has a key.
    shift_invariant: whether only differences of scores matter.
    blockable: whether blocks of keys can be weighed apart.
    refused: fields that must not be accepted, each in a record of its own.
    exceptions: laws that do not hold, by name of the law, with the reason.
  """

  normalizer: Normalizer
  formula: Callable[[np.ndarray, Mapping[str, float]], np.ndarray]
  parameters: Callable[[int], int] = lambda heads: 0
  sums_to_one: bool = False
  shift_invariant: bool = False
  blockable: bool = True
  refused: tuple[dict[str, Any], ...] = ()
  exceptions: Mapping[str, str] = dataclasses.field(default_factory=dict)


def softmax(s: np.ndarray, parameters: Mapping[str, float]) -> np.ndarray:
  return np.exp(s - logsumexp(s))


def sink(s: np.ndarray, parameters: Mapping[str, float]) -> np.ndarray:
  return np.exp(s - logsumexp(np.append(s, parameters.get("sink", 0.0))))


def sparse(power: int) -> Callable:
  """Entmax of α = 1 + 1 / power: the threshold found by bisection."""

  def formula(s: np.ndarray, parameters: Mapping[str, float]) -> np.ndarray:
    z = s / power
    low, high = z.max() - 1.0, z.max()
    for _ in range(60):
      middle = (low + high) / 2
      enough = np.sum(np.maximum(z - middle, 0.0) ** power) > 1
      low, high = (middle, high) if enough else (low, middle)
    return np.maximum(z - low, 0.0) ** power

  return formula


CASES = {
  "softmax": NormalizerCase(
    Softmax(), softmax, sums_to_one=True, shift_invariant=True
  ),
  "warm softmax": NormalizerCase(
    Softmax(temperature=2.0),
    softmax,
    sums_to_one=True,
    shift_invariant=True,
  ),
  "capped softmax": NormalizerCase(
    Softmax(temperature=0.5, cap=5.0), softmax, sums_to_one=True
  ),
  "relu": NormalizerCase(ReLU(), lambda s, _: np.maximum(s, 0) / len(s)),
  "undivided relu": NormalizerCase(
    ReLU(by_length=False), lambda s, _: np.maximum(s, 0)
  ),
  "capped relu": NormalizerCase(
    ReLU(temperature=2.0, cap=1.5), lambda s, _: np.maximum(s, 0) / len(s)
  ),
  "squared relu": NormalizerCase(
    SquaredReLU(), lambda s, _: np.maximum(s, 0) ** 2 / len(s)
  ),
  "undivided squared relu": NormalizerCase(
    SquaredReLU(by_length=False), lambda s, _: np.maximum(s, 0) ** 2
  ),
  "sigmoid": NormalizerCase(
    Sigmoid(),
    lambda s, _: expit(s - np.log(len(s))),
    refused=({"length": -1},),
  ),
  "sigmoid of a length": NormalizerCase(
    Sigmoid(length=7), lambda s, _: expit(s - np.log(7))
  ),
  "sink": NormalizerCase(SoftmaxSink(), sink, lambda heads: heads),
  "capped sink": NormalizerCase(
    SoftmaxSink(temperature=0.5, cap=2.0), sink, lambda heads: heads
  ),
  "softmax off by one": NormalizerCase(SoftmaxSink(learned=False), sink),
  "sparsemax": NormalizerCase(
    Sparsemax(),
    sparse(1),
    sums_to_one=True,
    shift_invariant=True,
    blockable=False,
  ),
  "capped sparsemax": NormalizerCase(
    Sparsemax(temperature=2.0, cap=3.0),
    sparse(1),
    sums_to_one=True,
    blockable=False,
  ),
  "entmax": NormalizerCase(
    Entmax15(),
    sparse(2),
    sums_to_one=True,
    shift_invariant=True,
    blockable=False,
  ),
  "warm entmax": NormalizerCase(
    Entmax15(temperature=4.0),
    sparse(2),
    sums_to_one=True,
    shift_invariant=True,
    blockable=False,
  ),
}
