"""What a run shows while it goes: a live table, or plain lines in a log."""

import importlib.util
import pathlib
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from research.comparison import Comparison
from research.experiment import Experiment
from research.plots.readable import count
from research.run import Progress, run
from research.timing import ROUNDS

Listener = Callable[[Progress], None]


def display(
  title: str, metric: str, *, quiet: bool, plain: bool = False
) -> AbstractContextManager[Listener]:
  """What listens to a run and shows it.

  Args:
    title: what is run.
    metric: the name of the score.
    quiet: show nothing.
    plain: no table even in a terminal, as nothing is trained.
  """
  if quiet:
    return nullcontext(lambda progress: None)
  if not plain and sys.stdout.isatty() and importlib.util.find_spec("rich"):
    from research.command.live import Live

    return Live(title, metric)
  return nullcontext(Lines(title, metric))


class Lines:
  """A title, and one line for each event, without control characters."""

  def __init__(self, title: str, metric: str) -> None:
    self._title = title
    self._metric = metric.replace("_", " ")
    self._left = TimeLeft()

  def __call__(self, progress: Progress) -> None:
    """Prints the line of one event."""
    if self._title:
      print(self._title, flush=True)
      self._title = ""
    left = self._left(progress)
    place = f"{progress.variant} ({progress.index + 1}/{progress.variants}): "
    if not progress.variant:
      place = ""
    text = ", ".join(filter(None, self._parts(progress, left)))
    print(f"[{clock(progress.seconds):>7}] {place}{text}", flush=True)

  def _parts(self, progress: Progress, left: float | None) -> list[str]:
    if progress.event == "note":
      return [progress.message]
    if progress.event == "compile":
      return ["compiling"]
    score = f"{self._metric} {number(progress.score)}"
    if progress.event == "variant":
      return [f"finished after {count(progress.step, 'step')}", score]
    return [
      f"step {progress.step}/{progress.steps}",
      f"loss {number(progress.loss)}",
      score,
      f"{rate(progress.examples_per_second)} examples/s",
      "" if left is None else f"{clock(left)} left",
    ]


class TimeLeft:
  """The time to the end of the run, from the share of steps behind it."""

  def __init__(self) -> None:
    self._first: tuple[float, float] | None = None

  def __call__(self, progress: Progress) -> float | None:
    """Seconds; None while nothing is known."""
    if progress.event == "note":
      return None  # Variants finished before say nothing about speed.
    within = progress.step / max(progress.steps, 1)
    if progress.event == "variant":
      within = 1.0
    done = (progress.index + within) / max(progress.variants, 1)
    if self._first is None:
      self._first = (done, progress.seconds)
    share = done - self._first[0]
    if share <= 0:
      return None
    return (progress.seconds - self._first[1]) / share * (1 - done)


def clock(seconds: float) -> str:
  """As 0:07, 12:34 or 1:02:03."""
  minutes, rest = divmod(round(max(seconds, 0)), 60)
  hours, minutes = divmod(minutes, 60)
  if hours:
    return f"{hours}:{minutes:02}:{rest:02}"
  return f"{minutes}:{rest:02}"


def number(value: float) -> str:
  """Four figures, or a dash where there is none."""
  return "–" if value != value else f"{value:.4g}"


def rate(value: float) -> str:
  """Whole, with thousands apart."""
  return "–" if value != value else f"{value:,.0f}"


def describe(experiment: Experiment) -> str:
  """What is run, in one line."""
  training = experiment.training
  parts = [count(len(experiment.variants), "variant")]
  if experiment.lengths:
    parts += [count(len(experiment.lengths), "length"), f"{ROUNDS} rounds"]
  else:
    parts += [
      count(training.seeds, "seed"),
      count(len(training.learning_rates), "learning rate"),
    ]
  return f"{experiment.name} ({experiment.scale}): {', '.join(parts)}"


def watch(
  experiment: Experiment,
  *,
  command: str,
  out: str | pathlib.Path | None,
  fresh: bool,
  quiet: bool,
) -> Comparison:
  """Runs an experiment and shows how it goes; raises what `run` raises."""
  metric = experiment.task.objective.metric
  plain = bool(experiment.lengths)
  with display(
    describe(experiment), metric, quiet=quiet, plain=plain
  ) as listener:
    return run(
      experiment, out=out, fresh=fresh, command=command, progress=listener
    )
