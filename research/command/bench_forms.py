"""`mixerlab bench forms`: what `auto` picks beside the fastest form."""

import statistics
from collections.abc import Callable, Mapping, Sequence

from research.command.bench_tables import Data, plain, ratio

Seconds = Mapping[tuple[str, int], Sequence[float]]
"""Of a call of every form and length, round by round."""


def tables(
  measured: Callable[[str], Seconds],
) -> tuple[str, Data]:
  """The tables as text, and the rounds behind them.

  Args:
    measured: times the forms of a family, given by its name.
  """
  from research.bench.forms import FAMILIES

  text: list[str] = []
  data: Data = {}
  for name, family in FAMILIES.items():
    found = measured(name)
    text.append(_table(family.title, family.forms, found))
    data |= plain(
      {(f"{name}-{form}", str(of)): own for (form, of), own in found.items()}
    )
  text.append(
    "Last column: the time of auto over that of the fastest form; the median "
    "of rounds."
  )
  return "\n".join(text) + "\n", data


def _table(title: str, forms: Sequence[str], found: Seconds) -> str:
  head = "".join(f"{form:>13}" for form in forms)
  lines = [
    f"{title[0].upper()}{title[1:]}: milliseconds forward and backward",
    f"  {'length':>7}{head}{'auto / best':>13}",
  ]
  for length in sorted({length for _, length in found}):
    cells = "".join(
      f"{_milliseconds(found.get((form, length))):>13}" for form in forms
    )
    lines.append(f"  {length:>7,}{cells}{_behind(forms, found, length):>13}")
  return "\n".join(lines) + "\n"


def _milliseconds(values: Sequence[float] | None) -> str:
  return "–" if values is None else f"{statistics.median(values) * 1e3:.2f}"


def _behind(forms: Sequence[str], found: Seconds, length: int) -> str:
  """Of auto's time and the best one, in the median over rounds."""
  others = [
    found[form, length]
    for form in forms
    if form != "auto" and (form, length) in found
  ]
  if not others or ("auto", length) not in found:
    return "–"
  best = min(others, key=statistics.median)
  return f"{ratio(found['auto', length], best):.2f}"
