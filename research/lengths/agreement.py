"""How far forms of one mixer are apart, given the same numbers."""

import math
import sys
from typing import Any, NamedTuple

import jax
import numpy as np

_LARGEST = sys.float_info.max
"""What is infinitely far apart: files keep no infinity."""


class Difference(NamedTuple):
  """Of outputs, and of both gradients, from those of another form."""

  outputs: float
  gradients: float


NOT_COMPARED = Difference(math.nan, math.nan)


def difference(actual: Any, reference: Any) -> Difference:
  """What two calls of `gradients` gave, compared.

  Args:
    actual: outputs, and gradients with respect to parameters and input.
    reference: those of the other form, of equal shapes.
  """
  return Difference(
    *(largest(*both) for both in zip(actual, reference, strict=True))
  )


def largest(actual: Any, reference: Any) -> float:
  """max |actual − reference| / max |reference|, of the worst leaf, in float64.

  The largest number there is where the reference is zero everywhere and
  `actual` is not, and where either holds a NaN.
  """
  leaves = map(_error, jax.tree.leaves(actual), jax.tree.leaves(reference))
  return float(np.max([0.0, *leaves]))


def _error(actual: Any, reference: Any) -> float:
  wanted = np.asarray(reference, np.float64)
  apart = np.max(np.abs(np.asarray(actual, np.float64) - wanted), initial=0.0)
  scale = np.max(np.abs(wanted), initial=0.0)
  if scale == 0:
    return _LARGEST if apart else 0.0
  found = float(apart / scale)
  return found if math.isfinite(found) else _LARGEST
