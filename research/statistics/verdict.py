"""What the seeds say about a claim: it holds, is refuted, or is undecided."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy import special

from research.statistics.intervals import (
  Interval,
  by_seed,
  spread,
  student_half_width,
)

FEWEST_SEEDS = 5  # below, no claim is decided
SEEDS_LIMIT = 1000  # nobody is told to run so many or more
ROUNDING = 1e-12  # 0.9 - 0.8 is not below 0.1, whatever the last bit says


@dataclass(frozen=True)
class Verdict:
  """The verdict on a claim, the difference it rests on, the seeds it lacks."""

  verdict: Literal["holds", "refuted", "undecided"]
  estimate: float
  low: float
  high: float
  seeds_needed: int | None


def decide(
  difference: Interval,
  differences: ArrayLike,
  smallest_effect: int | float,
  confidence: float = 0.95,
) -> Verdict:
  """The verdict on the claim that a difference is `smallest_effect` or more.

  It holds if the whole interval lies at or above the smallest effect, and is
  refuted if the whole interval lies below it, both at 5 seeds or more.
  Otherwise it is undecided, and `seeds_needed` is the smallest number from 5
  to 999 of seeds at which an interval of the observed spread around the
  observed mean would exclude the smallest effect. It is None if no such number
  would, if the spread is unknown (one seed, a value that is not finite) and if
  the claim is decided; and 5 if the interval excludes the effect already but
  the seeds are fewer. The direction of a claim is the order of the two sides;
  a negative smallest effect says "not worse by more than".

  Args:
    difference: the interval that `paired_difference` gave.
    differences: what it was made from, left minus right by seed, `[run]`.
    smallest_effect: the smallest difference that matters, same unit.
    confidence: the confidence of `difference`.

  Raises:
    ValueError: no differences, or a smallest effect that is not finite.
  """
  row = by_seed("differences", differences)
  if not np.isfinite(smallest_effect):
    raise ValueError(
      f"smallest_effect = {smallest_effect}; allowed: a finite number"
    )
  edge = smallest_effect - ROUNDING * max(1.0, abs(smallest_effect))
  above, below = difference.low >= edge, difference.high < edge
  ends = (difference.mean, difference.low, difference.high)
  if (above or below) and row.size >= FEWEST_SEEDS:
    return Verdict("holds" if above else "refuted", *ends, seeds_needed=None)
  if above or below:
    return Verdict("undecided", *ends, seeds_needed=FEWEST_SEEDS)
  needed = _seeds_needed(difference, row, edge, confidence)
  return Verdict("undecided", *ends, seeds_needed=needed)


def _seeds_needed(
  difference: Interval,
  differences: Float[np.ndarray, " run"],
  edge: float,
  confidence: float,
) -> int | None:
  """Smallest number of seeds whose interval would exclude the edge.

  The half-width at n seeds is Student's. Where the binomial interval of the
  test examples was the wider one, it counts too: it shrinks as `1 / √n`.
  """
  seeds = differences.size
  if seeds < 2 or not np.isfinite(differences).all():
    return None
  mean = difference.mean
  towards = difference.low if mean >= edge else difference.high
  reach = abs(mean - towards)
  student = float(student_half_width(differences, confidence))
  binomial = reach if reach > student + ROUNDING else 0.0
  counts = np.arange(max(FEWEST_SEEDS, seeds + 1), SEEDS_LIMIT)
  quantiles = special.stdtrit(counts - 1, 0.5 + confidence / 2)
  widths = np.maximum(
    quantiles * float(spread(differences)) / np.sqrt(counts),
    binomial * np.sqrt(seeds / counts),
  )
  enough = mean - widths >= edge if mean >= edge else mean + widths < edge
  return int(counts[enough.argmax()]) if enough.any() else None
