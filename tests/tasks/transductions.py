"""The lines of transductions, and of what is made of their rows."""

import itertools

import numpy as np

from research.tasks.addition import Addition
from research.tasks.dates import Dates
from research.tasks.grammar import Grammar
from research.tasks.joined import Joined
from research.tasks.masked import MaskedTokens
from research.tasks.next_token import NextToken
from research.tasks.patterns import NoisyPatterns
from research.tasks.reverse import Reverse
from research.tasks.sorting import Sort
from tests.tasks.case import TaskCase


def _share_of_sums(digits: int) -> float:
  """Of END or the most frequent digit, from all sums there are."""
  shares = np.zeros(11)
  ranges = [range(10), *(range(10**n, 10 ** (n + 1)) for n in range(1, digits))]
  for one, other in itertools.product(ranges, repeat=2):
    sums = np.add.outer(np.array(one), np.array(other)).ravel()
    for power in range(digits + 1):
      there = sums >= 10**power if power else sums >= 0
      written = sums[there] // 10**power % 10
      shares[:10] += np.bincount(written, minlength=10) / len(sums)
    shares[10] += 1
  return float(shares.max() / shares.sum())


ADDED = {digits: _share_of_sums(digits) for digits in (2, 3)}
ZEROS = sum(
  str(day).count("0")
  for day in np.arange("2000", "2001", dtype="datetime64[D]")
)
NO_SIZES = ({"symbols": 1}, {"longest": 0}, {"shortest": 0}, {"shortest": 9})
"""That neither a reversal nor a sorting can have."""

TRANSDUCTIONS: dict[str, TaskCase] = {
  "reverse": TaskCase(
    # Of 4.5 tokens and END, END is 1 / 5.5.
    Reverse(),
    chance=2 / 11,
    refused=NO_SIZES,
  ),
  "reverse of two symbols": TaskCase(
    Reverse(symbols=2, shortest=6, longest=6), chance=3 / 7
  ),
  "sorting": TaskCase(
    Sort(),
    chance=2 / 11,
    refused=NO_SIZES,
  ),
  "sorting of many repeats": TaskCase(
    Sort(symbols=3, shortest=2, longest=12), chance=7 / 3 / 8
  ),
  "addition": TaskCase(
    Addition(digits=3), chance=ADDED[3], refused=({"digits": 0},)
  ),
  "addition from behind": TaskCase(
    Addition(digits=2, reverse=True), chance=ADDED[2]
  ),
  "dates": TaskCase(
    Dates(),
    chance=2 / 11,
    refused=(
      {"formats": ()},
      {"formats": ("long", "long")},
      {"formats": ("iso",)},
      {"first": 999},
      {"last": 10000},
      {"first": 2001, "last": 2000},
    ),
  ),
  "dates of one year": TaskCase(
    Dates(formats=("weekday",), first=2000, last=2000),
    chance=ZEROS / (11 * 366),
  ),
  "grammar": TaskCase(
    # 4 nouns, 3 verbs, 2 adjectives, 6 particles and END; 2 are OBJ.
    Grammar(),
    chance=2 / 16,
    refused=(
      {"nouns": 1},
      {"nouns": 17},
      {"verbs": 0},
      {"adjectives": 9},
      {"modifiers": -1},
      {"depth": -1},
    ),
  ),
  "grammar without clauses": TaskCase(
    # 2 nouns, a verb, 3 adjectives, 2 particles and END.
    Grammar(nouns=3, verbs=2, adjectives=1, modifiers=3, depth=0),
    chance=2 / 9,
  ),
  "reverse in one row": TaskCase(Joined(Reverse()), chance=2 / 11),
  "addition in one row": TaskCase(Joined(Addition(digits=2)), chance=ADDED[2]),
  "next tokens": TaskCase(
    NextToken(Joined(Sort())),
    chance=NextToken(Joined(Sort())).chance,
    refused=(
      {"task": NoisyPatterns()},
      {"task": Sort()},
    ),
  ),
  "masked tokens": TaskCase(
    MaskedTokens(Joined(Dates())),
    chance=MaskedTokens(Joined(Dates())).chance,
    told=False,
    refused=({"task": Sort()}, {"share": 1.0}, {"share": -0.1}),
  ),
}
