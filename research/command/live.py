"""The live table of a run in a terminal, drawn by rich."""

import time
from typing import Any

import rich.live
from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from research.command.progress import TimeLeft, clock, number, rate
from research.run import Progress


class Live:
  """A row for each variant, the one that is trained moving."""

  def __init__(
    self, title: str, metric: str, console: Console | None = None
  ) -> None:
    self._title = title
    self._metric = metric.replace("_", " ")
    self._console = console or Console()
    self._rows: dict[str, Progress] = {}
    self._left = TimeLeft()
    self._estimate: tuple[float, float] | None = None
    self._begin = time.monotonic()
    self._live = rich.live.Live(
      console=self._console, get_renderable=self.render, refresh_per_second=4
    )

  def __enter__(self) -> "Live":
    return self

  def __exit__(self, *error: Any) -> None:
    self._estimate = None
    self._live.stop()

  def __call__(self, progress: Progress) -> None:
    """Takes in one event; the first one starts the display."""
    if not self._live.is_started:
      self._console.print(self._title, highlight=False)
      self._live.start()
    if progress.event == "note":
      self._console.print(progress.message, highlight=False, markup=False)
      return
    left = self._left(progress)
    if left is not None:
      self._estimate = (left, time.monotonic())
    self._rows[progress.variant] = progress

  def render(self) -> RenderableType:
    """The table as it is now; the latest rows where not all fit."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("variant", no_wrap=True, max_width=20)
    table.add_column("", width=10)
    for name in ("step", "loss", self._metric, "examples/s"):
      table.add_column(name, justify="right", no_wrap=True, min_width=6)
    for row in list(self._rows.values())[-max(self._console.height - 5, 1) :]:
      table.add_row(*self._cells(row))
    return Group(table, Text(self._footer(), style="dim"))

  def _cells(self, row: Progress) -> list[RenderableType]:
    if row.event == "compile":
      return [row.variant, Text("compiling", style="dim"), "", "", "", ""]
    finished = row.event == "variant"
    bar = ProgressBar(
      total=max(row.steps, 1), completed=row.steps if finished else row.step
    )
    return [
      row.variant,
      bar,
      f"{row.step}/{row.steps}",
      "" if finished else number(row.loss),
      number(row.score),
      "" if finished else rate(row.examples_per_second),
    ]

  def _footer(self) -> str:
    if not self._rows:
      return ""
    row = list(self._rows.values())[-1]
    parts = [
      f"variant {row.index + 1} of {row.variants}",
      f"{clock(time.monotonic() - self._begin)} gone",
    ]
    if self._estimate is not None:
      left, then = self._estimate
      parts.append(f"about {clock(left - (time.monotonic() - then))} left")
    return ", ".join(parts)
