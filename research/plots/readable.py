"""Numbers as a reader wants them: 1.2k, 3e-3, 0.987; "–" where there is none.

Plain text, so that tables need no drawing library.
"""

import math

NONE = "–"


def short(value: int | float) -> str:
  """Two or three digits and a letter: 950, 1.2k, 34k, 5.6M, 1.1G."""
  if not math.isfinite(value):
    return NONE
  size = abs(value)
  for limit, unit, letter in (
    (999.5, 1, ""),
    (999.5e3, 1e3, "k"),
    (999.5e6, 1e6, "M"),
    (999.5e9, 1e9, "G"),
    (999.5e12, 1e12, "T"),
    (math.inf, 1e15, "P"),
  ):
    if size < limit:
      return _digits(value / unit) + letter
  raise AssertionError("unreachable: the last limit is infinite")


def _digits(value: int | float) -> str:
  """One decimal below 10, none above; no ".0"."""
  return (
    f"{value:.1f}".removesuffix(".0") if abs(value) < 9.95 else f"{value:.0f}"
  )


def fixed(value: int | float, decimals: int = 3) -> str:
  """A number with a fixed number of decimals, as scores have it.

  From a thousand on, where decimals say nothing, it is shortened.
  """
  if not math.isfinite(value):
    return NONE
  if abs(value) >= 1000:
    return short(value).replace("-", "−")
  text = f"{value:.{decimals}f}"
  return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def interval(low: int | float, high: int | float, decimals: int = 3) -> str:
  """[low, high]."""
  if not (math.isfinite(low) or math.isfinite(high)):
    return NONE
  return f"[{fixed(low, decimals)}, {fixed(high, decimals)}]"


def estimate(value: float, low: float, high: float) -> str:
  """A number and its interval; tiny ones by their power of ten."""
  if not (math.isfinite(low) or math.isfinite(high)):
    return f"{tiny(value)} {NONE}"
  return f"{tiny(value)} [{tiny(low)}, {tiny(high)}]"


def tiny(value: int | float) -> str:
  """As `fixed`, but 3.1e−07 where three decimals would say zero."""
  if not 0 < abs(value) < 5e-4:
    return fixed(value)
  return f"{value:.1e}".replace("-", "−")


def count(number: int, noun: str) -> str:
  """As `1 seed` or `3 seeds`."""
  return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def rate(value: int | float) -> str:
  """A learning rate: 0.003 → 3e-3, 0.0015 → 1.5e-3, 0.5 → 0.5."""
  if not math.isfinite(value):
    return NONE
  if value == 0 or value >= 0.1:
    return f"{value:g}"
  exponent = math.floor(math.log10(value) + 1e-9)
  return f"{value / 10**exponent:.3g}e{exponent}"


def seconds(value: int | float) -> str:
  """A span of time: 0.4 s, 12 s, 3.5 min, 2.1 h."""
  if not math.isfinite(value):
    return NONE
  for limit, unit, name in ((99.5, 1, "s"), (5970, 60, "min")):
    if value < limit:
      return f"{_digits(value / unit)} {name}"
  return f"{_digits(value / 3600)} h"


def over(number: int, unit: str) -> str:
  """What a verdict rests on: "over 5 seeds", "over 7 rounds", "counted"."""
  return "counted" if unit == "count" else f"over {count(number, unit)}"
