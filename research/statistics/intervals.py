"""Intervals for the mean over seeds and for a share of solved seeds.

Numpy arrays only. Axis 0 is the run (one number for each seed); a table has
the axes `[run, condition]`. A value that is not finite makes its column NaN:
a diverged seed has no mean, and no interval hides it.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy import special


@dataclass(frozen=True)
class Interval:
  """An estimate with the ends of its interval, in the unit of the values."""

  mean: float
  low: float
  high: float


def mean_interval(
  values: ArrayLike,
  examples: int | float | None = None,
  confidence: float = 0.95,
) -> Interval:
  """Interval of the mean over seeds: `mean ± t[n-1] · s / √n`.

  Student's t on the `n` values `[run]`. With `examples`, the number of
  independent test examples of each seed, the values are shares in [0, 1]; the
  interval is then widened to contain Wilson's interval of the mean share among
  the `n · examples` test examples pooled over the seeds, and clipped to
  [0, 1]. A test set of N examples that all seeds share counts once: pass
  `examples=N / n`. One value has Wilson's interval alone, and without
  `examples` none: `low` and `high` are NaN, as they are when a value is not
  finite.

  Coverage reached by a nominal 95%, without `examples`, in percent; two-point
  values exact, the others from 100,000 repetitions less three standard errors,
  all rounded down. tests/statistics/test_coverage.py measures them again and
  holds this table to them:

      values                        n = 3   n = 5   n = 10
      normal                           94      94       94
      skewed, beta (4, 1/2)            83      85       88
      skewed, log-normal               83      81       83
      hit or miss, even                75      93       97
      hit or miss, four in five        48      66       88

  The mean of hit-or-miss values over three seeds is thus poor evidence: give
  the share of solved seeds with `share_interval` instead.

  Args:
    values: one number for each seed, `[run]`.
    examples: independent test examples of each seed; None if no shares.
    confidence: nominal coverage, between 0 and 1.

  Raises:
    ValueError: no values, a table instead of a row, shares outside [0, 1],
      no test examples, or a confidence that is not between 0 and 1.

  Source: Student (1908); Wilson (1927).
  """
  row = by_seed("values", values)
  ends = mean_intervals(row[:, None], examples, confidence)
  return Interval(*(float(end[0]) for end in ends))


def mean_intervals(
  values: Float[np.ndarray, "run condition"],
  examples: int | float | None = None,
  confidence: float = 0.95,
) -> tuple[
  Float[np.ndarray, " condition"],
  Float[np.ndarray, " condition"],
  Float[np.ndarray, " condition"],
]:
  """`mean_interval` of every column: means, lows and highs `[condition]`."""
  _check_confidence(confidence)
  if examples is not None:
    check_shares("values", values, examples)
  finite = np.where(np.isfinite(values), values, np.nan)
  mean = finite.mean(axis=0)
  half = student_half_width(finite, confidence)
  low, high = mean - half, mean + half
  if examples is not None:
    # fmin and fmax: a single value has no Student interval (NaN)
    floor, ceiling = wilson(mean, len(values) * examples, confidence)
    low = np.maximum(np.fmin(low, floor), 0.0)
    high = np.minimum(np.fmax(high, ceiling), 1.0)
  return mean, low, high


def share_interval(
  successes: int, total: int, confidence: float = 0.95
) -> Interval:
  """Wilson's interval of a share, such as that of the solved seeds.

  Coverage reached by a nominal 95%, exact, in percent, rounded down:

      share                         n = 3   n = 5   n = 10
      even                            100      93       97
      four in five                     89      94       96

  Raises:
    ValueError: `total` below 1, or `successes` not between 0 and `total`.

  Source: Wilson (1927).
  """
  _check_confidence(confidence)
  if total < 1:
    raise ValueError(f"total = {total}; allowed: 1 or more")
  if not 0 <= successes <= total:
    raise ValueError(f"successes = {successes}; allowed: 0 to total {total}")
  share = successes / total
  low, high = wilson(np.array([share]), total, confidence)
  return Interval(share, float(low[0]), float(high[0]))


def student_half_width(
  values: Float[np.ndarray, " run *condition"], confidence: float
) -> Float[np.ndarray, "*condition"]:
  """`t[n-1] · s / √n` of every column; NaN for a single run."""
  count = len(values)
  if count < 2:
    return np.full(values.shape[1:], np.nan)
  quantile = special.stdtrit(count - 1, 0.5 + confidence / 2)
  return np.asarray(quantile * spread(values) / np.sqrt(count))


def spread(
  values: Float[np.ndarray, " run *condition"],
) -> Float[np.ndarray, "*condition"]:
  """Sample standard deviation over the runs (`n - 1`); 0 for equal values."""
  # Measured from the first run: the mean of equal values may be rounded, and
  # would leave a spread of 1e-17 where there is none.
  return np.asarray(np.std(values - values[:1], axis=0, ddof=1))


def wilson(
  share: Float[np.ndarray, " condition"], total: int | float, confidence: float
) -> tuple[Float[np.ndarray, " condition"], Float[np.ndarray, " condition"]]:
  """Low and high ends of Wilson's interval of a share among `total`.

  `(p + z²/2N ± z √(p(1-p)/N + z²/4N²)) / (1 + z²/N)`, Wilson (1927).
  """
  z = special.ndtri(0.5 + confidence / 2)
  centre = share + z**2 / (2 * total)
  variance = share * (1 - share) / total + z**2 / (4 * total**2)
  half = z * np.sqrt(variance)
  scale = 1 + z**2 / total
  # the share lies inside, and 0 and 1 are ends themselves, but for rounding
  low = np.clip((centre - half) / scale, 0.0, share)
  high = np.clip((centre + half) / scale, share, 1.0)
  return low, high


def by_seed(field: str, values: ArrayLike) -> Float[np.ndarray, " run"]:
  """The values of one measure as a float64 row `[run]`.

  Raises:
    ValueError: `values` is empty or no row.
  """
  row = np.asarray(values, dtype=np.float64)
  if row.ndim != 1 or row.size == 0:
    raise ValueError(
      f"{field} has shape {row.shape}; allowed: one number for each seed, "
      "at least one"
    )
  return row


def check_shares(
  field: str,
  values: Float[np.ndarray, " run *condition"],
  examples: int | float,
) -> None:
  """Refuses values outside [0, 1] and test examples that are not positive."""
  if not 0 < examples < np.inf:
    raise ValueError(f"examples = {examples}; allowed: a number above 0")
  outside = values[(values < 0) | (values > 1)]
  if outside.size:
    raise ValueError(
      f"{field} = {outside[0]} is no share of test examples; "
      "allowed: 0 to 1, or examples=None"
    )


def _check_confidence(confidence: float) -> None:
  if not 0 < confidence < 1:
    raise ValueError(
      f"confidence = {confidence}; allowed: between 0 and 1, both excluded"
    )
