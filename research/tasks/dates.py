"""Dates as people write them, rewritten as in ISO 8601."""

import calendar
import collections
import dataclasses
import functools
import re
import string
from collections.abc import Sequence
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from research.record import check_literal, check_number
from research.shapes import RandomKey
from research.tasks.base import Example
from research.tasks.transduction import (
  SYMBOLS,
  Transduction,
  glued,
  own_numbers,
  stacked,
)

Format = Literal["long", "weekday", "dashed", "dotted", "slashed", "american"]

TEMPLATES = {
  "long": "{month} {d}, {y}",
  "weekday": "{weekday} {d} {mon} {y}",
  "dashed": "{dd}-{mon}-{y}",
  "dotted": "{d}.{m}.{y}",
  "slashed": "{y}/{mm}/{dd}",
  "american": "{m}/{d}/{y}",
}
"""How each format is written; two letters stand for two digits."""

# Not those of `calendar`, which follow the language of the machine.
MONTHS = (
  "January February March April May June July August September October "
  "November December"
).split()
WEEKDAYS = "Mon Tue Wed Thu Fri Sat Sun".split()

_LETTERS = "".join([*MONTHS, *WEEKDAYS])
CHARACTERS = string.digits + "".join(sorted({*_LETTERS, *" ,-./"}))
"""Of the source, in the order of their tokens."""

_ISO = string.digits + "-"


@dataclasses.dataclass(frozen=True)
class Dates(Transduction):
  """A date in one of several formats is rewritten as year-month-day.

  Every day of the years `first` to `last` is alike likely (Gregorian calendar,
  leap years included), and every format. Tokens are characters.

    long      March 5, 2021
    weekday   Fri 5 Mar 2021
    dashed    05-Mar-2021
    dotted    5.3.2021
    slashed   2021/03/05
    american  3/5/2021

    target    2021-03-05 END

  What stands where in the source depends on the format, and on how long the
  pieces before it are; months have to be learnt by heart. Separators tell
  "3/5/2021" from "5.3.2021".

  Scores: `chance` is the share of the most frequent character of the target,
  "-" with 2/11 unless the years are full of one digit. Who knows the positions
  of the target alone has both "-" and END, 3/11, and the frequent digits of
  years. Cost: O(length of the source). A demonstration of attention in many
  courses; there is no paper.

  Attributes:
    formats: those that are drawn from. The vocabulary is that of all.
    first, last: years of four digits.
  """

  formats: tuple[Format, ...] = get_args(Format)
  first: int = 1900
  last: int = 2099

  def __post_init__(self) -> None:
    if not self.formats or len({*self.formats}) < len(self.formats):
      raise ValueError(
        f"formats = {self.formats}; allowed: different ones of "
        f"{', '.join(TEMPLATES)}"
      )
    for name in self.formats:
      check_literal("formats", name, Format)
    check_number(self, "last", 1000, 9999)
    why = f"for last = {self.last}"
    check_number(self, "first", 1000, self.last, why)

  @property
  def vocabulary(self) -> int:
    return len(CHARACTERS)

  @property
  def classes(self) -> int:
    return SYMBOLS + len(_ISO)

  @property
  def length(self) -> int:
    return len("2021-03-05") + 1

  @property
  def source_length(self) -> int:
    """s, which is the same for all formats."""
    return len("September 30, 2021")

  @property
  def chance(self) -> float:
    return _most_frequent(self.first, self.last)

  def text(self, tokens: Sequence[int]) -> str:
    return "".join(_ISO[number] for number in own_numbers(tokens))

  def source_text(self, tokens: Sequence[int]) -> str:
    return "".join(CHARACTERS[token] for token in tokens)

  def sample(self, key: RandomKey) -> Example:
    for_format, for_day = jax.random.split(key)
    chosen = jax.random.randint(for_format, (), 0, len(self.formats))
    known = [[*TEMPLATES].index(name) for name in self.formats]
    number = jnp.array(known)[chosen]
    days = (_days_before(self.first), _days_before(self.last + 1))
    day = jax.random.randint(for_day, (), *days)
    date = _date(day)
    pieces, counts = _pieces(day, *date)
    plan = jnp.asarray(_PLANS)[number]
    source, count = glued(pieces[plan], counts[plan], self.source_length)
    year, month, day = map(_digits, date, (4, 2, 2))
    dash = jnp.array([_ISO.index("-")])
    target = jnp.concatenate([year, dash, month, dash, day, dash])
    target = SYMBOLS + target.astype(jnp.int32)
    slices = {"format": number}
    return self.pair(source, count, target, self.length - 1, slices)

  def oracle(self, inputs: Sequence[Any]) -> list[Any]:
    text = self.source_text(inputs)
    for pattern in _PATTERNS:
      if found := re.fullmatch(pattern, text):
        parts = found.groupdict()
        break
    month = parts.get("m") or 1 + [m[:3] for m in MONTHS].index(parts["mon"])
    iso = f"{parts['y']}-{int(month):02}-{int(parts['d']):02}"
    return [SYMBOLS + _ISO.index(character) for character in iso]


_PATTERNS = (
  r"(?P<mon>[A-Z][a-z][a-z])[a-z]* (?P<d>\d+), (?P<y>\d+)",
  r"[A-Z][a-z][a-z] (?P<d>\d+) (?P<mon>[A-Z][a-z][a-z]) (?P<y>\d+)",
  r"(?P<d>\d\d)-(?P<mon>[A-Z][a-z][a-z])-(?P<y>\d+)",
  r"(?P<d>\d+)\.(?P<m>\d+)\.(?P<y>\d+)",
  r"(?P<y>\d{4})/(?P<m>\d\d)/(?P<d>\d\d)",
  r"(?P<m>\d+)/(?P<d>\d+)/(?P<y>\d+)",
)


def _words(words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
  """Tokens of words, Int[p w] with 0 behind, and their lengths."""
  sizes = np.array([len(word) for word in words])
  rows = np.zeros((len(words), sizes.max()), np.int32)
  for row, word in zip(rows, words, strict=True):
    row[: len(word)] = [CHARACTERS.index(character) for character in word]
  return rows, sizes


_SEPARATORS = (" ", ", ", "-", ".", "/")
_NAMES = ("y", "mm", "dd", "m", "d", "month", "mon", "weekday", *_SEPARATORS)
"""The pieces that dates are made of; the last number stands for none."""


def _plans() -> np.ndarray:
  """The pieces of each template by number, Int[f p]."""
  plans = np.full((len(TEMPLATES), 7), len(_NAMES))
  for plan, template in zip(plans, TEMPLATES.values(), strict=True):
    parsed = string.Formatter().parse(template)
    names = [name for part in parsed for name in part[:2] if name]
    plan[: len(names)] = [_NAMES.index(name) for name in names]
  return plans


_PLANS = _plans()


def _pieces(
  number: Int[Array, ""],
  year: Int[Array, ""],
  month: Int[Array, ""],
  day: Int[Array, ""],
) -> tuple[Int[Array, "p w"], Int[Array, "p"]]:
  """All pieces of a date in the order of `_NAMES`, and their lengths."""
  two = [_digits(part, 2) for part in (month, day)]
  wide = [part > 9 for part in (month, day)]
  one = [
    jnp.where(whole, digits, digits[::-1])
    for whole, digits in zip(wide, two, strict=True)
  ]
  months, sizes = _words(MONTHS)
  weekdays, _ = _words(WEEKDAYS)
  separators, widths = _words(_SEPARATORS)
  name = jnp.asarray(months)[month - 1]
  weekday = jnp.asarray(weekdays)[number % 7]
  rows = [_digits(year, 4), *two, *one, name, name[:3], weekday]
  pieces = stacked(*rows, *map(jnp.asarray, separators), 0)
  counts = [4, 2, 2, *(1 + whole for whole in wide)]
  counts += [jnp.asarray(sizes)[month - 1], 3, 3, *widths.tolist(), 0]
  return pieces, jnp.stack([jnp.asarray(n, jnp.int32) for n in counts])


def _digits(number: Int[Array, ""], count: int) -> Int[Array, "t"]:
  """The last digits of a number, Int[count]."""
  return number // 10 ** jnp.arange(count - 1, -1, -1) % 10


def _days_before(year: int) -> int:
  """Days from Monday, the first of January of the year 1, to that of `year`."""
  before = year - 1
  return 365 * before + before // 4 - before // 100 + before // 400


def _date(
  day: Int[Array, ""],
) -> tuple[Int[Array, ""], Int[Array, ""], Int[Array, ""]]:
  """Year, month and day of the month, `day` days after 1 January of year 1.

  Years are counted from March, so that the leap day is their last one, and
  months of 31, 30, 31, 30, 31 days repeat (Richards 2013).
  """
  since = day + 306  # since 1 March of the year 0
  # Leap days are taken out, from the rarest on; what is left has 365 a year.
  era, rest = since // 146097, since % 146097
  leap = rest // 1460 - rest // 36524 + rest // 146096
  year = (rest - leap) // 365
  rest = rest - (365 * year + year // 4 - year // 100)
  month = (5 * rest + 2) // 153
  first = (153 * month + 2) // 5
  january = month >= 10
  year = 400 * era + year + january
  return year, month + 3 - 12 * january, rest - first + 1


@functools.lru_cache(maxsize=64)
def _most_frequent(first: int, last: int) -> float:
  """The share of the most frequent token of the target."""
  counts: collections.Counter[str] = collections.Counter()
  days = 0
  within = {}  # month and day of all days of a year, leap or not
  for leap, year in ((False, 2001), (True, 2000)):
    months = [(m, calendar.monthrange(year, m)[1]) for m in range(1, 13)]
    within[leap] = collections.Counter(
      "".join(f"{m:02}{d:02}" for m, n in months for d in range(1, n + 1))
    )
  for year in range(first, last + 1):
    leap = calendar.isleap(year)
    days += 365 + leap
    counts.update(within[leap])
    for digit in str(year):
      counts[digit] += 365 + leap
  return max(2 * days, *counts.values()) / (11 * days)
