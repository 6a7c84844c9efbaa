"""Two mixers compared: over the same seeds, over different ones, many times."""

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy import special

from research.statistics.intervals import (
  Interval,
  by_seed,
  check_shares,
  mean_interval,
  spread,
  wilson,
)


def paired_difference(
  left: ArrayLike,
  right: ArrayLike,
  examples: int | float | None = None,
  confidence: float = 0.95,
) -> Interval:
  """Interval of the mean of `left - right` over the same seeds.

  Student's t on the `n` differences `[run]`. With `examples`, the number of
  independent test examples of each seed, both sides are shares in [0, 1]; the
  interval is then widened to contain Newcombe's interval of the difference of
  two shares, each among `n · examples` test examples, and clipped to [-1, 1].
  Newcombe's takes the two sides as tested on different examples: on the same
  ones it is wider than needed wherever both sides tend to miss the same.
  A test set of N examples that all seeds share counts once: pass
  `examples=N / n`. One seed has Newcombe's interval alone, and without
  `examples` none: `low` and `high` are NaN, as they are when a value is not
  finite.

  Raises:
    ValueError: sides of different lengths, and whatever `mean_interval`
      refuses.

  Source: Student (1908); Newcombe (1998), method 10.
  """
  first, second = by_seed("left", left), by_seed("right", right)
  if first.size != second.size:
    raise ValueError(
      f"left has {first.size} seeds and right has {second.size}; "
      "allowed: the same seeds on both sides"
    )
  both = np.isfinite(first) & np.isfinite(second)
  differences = np.full(first.shape, np.nan)
  np.subtract(first, second, out=differences, where=both)
  student = mean_interval(differences, confidence=confidence)
  if examples is None:
    return student
  check_shares("left", first, examples)
  check_shares("right", second, examples)
  low, high = _newcombe(
    first.mean(), second.mean(), first.size * examples, confidence
  )
  # fmin and fmax: a single seed has no Student interval (NaN)
  return Interval(
    student.mean,
    float(np.maximum(np.fmin(student.low, low), -1.0)),
    float(np.minimum(np.fmax(student.high, high), 1.0)),
  )


def welch(left: ArrayLike, right: ArrayLike) -> float:
  """Two-sided p value of equal means, variances free: Welch's t test.

  `t = (mean_l - mean_r) / √(s_l²/n_l + s_r²/n_r)`, with the degrees of freedom
  of Welch and Satterthwaite. Two constant samples give 1 if they are equal and
  0 if they differ. NaN, which `holm` passes on, says that there is no test:
  fewer than two values on a side, or a value that is not finite.

  Raises:
    ValueError: a side is empty or no row.

  Source: Welch (1947).
  """
  sides = [by_seed("left", left), by_seed("right", right)]
  if min(side.size for side in sides) < 2:
    return float("nan")
  if not all(np.isfinite(side).all() for side in sides):
    return float("nan")
  # Variances of the means in units of the widest deviation, so that squares of
  # very small and very large numbers stay representable.
  origin = sides[0][0]
  unit = max(float(np.abs(side - origin).max()) for side in sides)
  if unit == 0:
    return 1.0
  scaled = [(side - origin) / unit for side in sides]
  variances = [float(spread(side)) ** 2 / side.size for side in scaled]
  total = sum(variances)
  if total == 0:
    return 0.0
  parts = [
    (variance / total) ** 2 / (side.size - 1)
    for variance, side in zip(variances, scaled, strict=True)
  ]
  statistic = (scaled[0].mean() - scaled[1].mean()) / np.sqrt(total)
  return float(2 * special.stdtr(1 / sum(parts), -abs(statistic)))


def holm(p_values: ArrayLike) -> Float[np.ndarray, " condition"]:
  """P values adjusted for the number of tests, in the order given.

  The j-th smallest of `m` becomes `max over i ≤ j of min(1, (m - i + 1) p_i)`.
  Rejecting where the result is at most `a` keeps the chance of any false
  rejection at `a`, however the tests depend on each other. NaN (no test) stays
  NaN and is not counted in `m`.

  Raises:
    ValueError: a p value outside [0, 1], or a table instead of a row.

  Source: Holm (1979).
  """
  row = np.asarray(p_values, dtype=np.float64)
  if row.ndim != 1:
    raise ValueError(
      f"p_values has shape {row.shape}; allowed: one number for each test"
    )
  outside = row[(row < 0) | (row > 1)]
  if outside.size:
    raise ValueError(f"p_values = {outside[0]}; allowed: 0 to 1")
  order = np.argsort(row)[: np.count_nonzero(~np.isnan(row))]  # NaN sorts last
  factors = np.arange(order.size, 0, -1)
  adjusted = np.full(row.shape, np.nan)
  steps = np.minimum(factors * row[order], 1.0)
  adjusted[order] = np.maximum.accumulate(steps)
  return adjusted


def _newcombe(
  left: float, right: float, total: int | float, confidence: float
) -> tuple[float, float]:
  """Ends of the interval of `left - right`, shares among `total` each."""
  shares = np.array([left, right])
  low, high = wilson(shares, total, confidence)
  below, above = shares - low, high - shares
  difference = left - right
  return (
    float(difference - np.hypot(below[0], above[1])),
    float(difference + np.hypot(above[0], below[1])),
  )
