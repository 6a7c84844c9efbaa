"""What came out of a run, told in the terminal."""

import shutil
import textwrap
from collections.abc import Iterator

from research.comparison import Comparison
from research.plots.readable import count, estimate, over, tiny
from research.report.write import table, write_report
from research.results import Summary


def tell(comparison: Comparison, command: str, *, quiet: bool) -> None:
  """Writes the report, and prints what came out."""
  try:
    report = str(write_report(comparison.folder))
  except ModuleNotFoundError as error:  # The results stand without a drawing.
    report = f"none: {error}; then mixerlab report {comparison.folder}"
  shown = table(comparison.summary, comparison.experiment)
  if quiet:
    print(shown)
    return
  width = shutil.get_terminal_size().columns
  print(f"\n{shown}\n")
  for line in verdict_lines(comparison.summary, width):
    print(line)
  print(f"Report  {report}")
  print(f"Repeat  {command}")


def verdict_lines(summary: Summary, width: int) -> Iterator[str]:
  """What came out of each claim, and the numbers that say so."""
  for row in summary.verdicts:
    numbers = (
      f"{estimate(row.estimate, row.low, row.high)} "
      f"{over(row.seeds, row.unit)}; {tiny(row.smallest_effect)} or more was "
      "claimed"
    )
    if row.seeds_needed is not None:
      numbers += f"; {count(row.seeds_needed, row.unit)} would decide"
    yield from textwrap.wrap(
      f"{row.verdict.upper():9}  {row.claim}: {row.text}",
      width,
      subsequent_indent=" " * 11,
    )
    yield from textwrap.wrap(
      numbers, width, initial_indent=" " * 11, subsequent_indent=" " * 11
    )
  if summary.verdicts:
    yield ""
