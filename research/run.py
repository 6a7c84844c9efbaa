"""The comparison, from record to results.

Needs neither tyro nor matplotlib: `run(experiment)` from Python is the same
as the command, but for the report.
"""

import dataclasses
import pathlib
import shutil
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from research.comparison import Comparison, load
from research.experiment import TIMED, Experiment, Variant
from research.folder import RunFolder, open_folder
from research.lengths.rows import measured_rows
from research.outcome import outcome
from research.preparation import prepare
from research.processes import by_first, check_same, is_first
from research.record import code
from research.results import Row, Summary, write_summary
from research.signals import agreed, signals
from research.summary import judge, summarise
from research.tasks.base import Task
from research.timing import step_milliseconds
from research.training.checkpoint import Checkpoints
from research.training.cost import costs
from research.training.plan import Plan
from research.training.train import Report, Stopped, train

__all__ = ["Comparison", "Interrupted", "Progress", "load", "run"]


@dataclasses.dataclass(frozen=True)
class Progress:
  """What happens while an experiment runs.

  Attributes:
    event: a variant is compiled, has ended a chunk, or is finished; or
      something worth a note happened.
    score: the best mean validation score over seeds so far.
    seconds: since the run was started.
  """

  event: Literal["compile", "chunk", "variant", "note"]
  variant: str = ""
  index: int = 0
  variants: int = 0
  step: int = 0
  steps: int = 0
  loss: float = float("nan")
  score: float = float("nan")
  examples_per_second: float = float("nan")
  seconds: float = 0.0
  message: str = ""


class Interrupted(Exception):
  """The run was asked to stop, and saved; the same command goes on."""

  def __init__(self, folder: pathlib.Path, number: int) -> None:
    super().__init__(f"stopped; {folder} can be continued")
    self.folder = folder
    self.signal = number


def run(
  experiment: Experiment,
  *,
  out: str | pathlib.Path | None = None,
  fresh: bool = False,
  command: str = "",
  save_seconds: float = 10.0,
  progress: Callable[[Progress], None] | None = None,
) -> Comparison:
  """Trains and tests every variant, and writes the results.

  A run that was stopped or killed is continued, and ends as if nothing had
  happened; one that measures `lengths` begins again.

  Several processes of one `jax.distributed` share a run: each calls this with
  the same experiment. Process 0 alone writes, and is told what happens.

  Args:
    experiment: what to run.
    out: the run's folder; None for one under `results/<name>/`.
    fresh: start anew instead of continuing.
    command: the command that repeats the run, for the report.
    save_seconds: the least time between two checkpoints.
    progress: told what happens.

  Raises:
    ValueError: something in the record or the folder is not allowed; found
      before anything is trained. Or the disk is full.
    Interrupted: Ctrl-C or SIGTERM, after saving.
  """
  plans = prepare(experiment)
  check_same(f"{experiment.identity} {code(experiment)}", "the experiment")
  path = pathlib.Path(out) if out is not None else None
  folder = by_first(
    lambda: open_folder(experiment, path, fresh=fresh, command=command)
  )
  told = _Told(experiment, progress or (lambda one: None))
  try:
    with signals() as received:
      job = _Job(experiment, folder, told, save_seconds, received)
      if experiment.lengths:
        summary = judge(experiment, job.measure(plans))
      else:
        outcomes = {name: job.variant(name, plans[name]) for name in plans}
        if experiment.timed:
          job.time(plans, outcomes)
        summary = summarise(experiment, outcomes)
    return by_first(lambda: _finish(folder, summary, told))
  except Stopped:
    by_first(lambda: folder.add_seconds(time.perf_counter() - told.begin))
    raise Interrupted(folder.path, agreed(received)) from None
  except BrokenPipeError:  # of whoever is told; no file of ours is a pipe
    raise
  except OSError as error:
    reason = error.strerror or str(error)
    raise ValueError(
      f"out = {str(folder.path)!r} cannot be written ({reason}); what was "
      "saved before is intact, and the same command goes on"
    ) from error
  finally:
    folder.release()


def _finish(folder: RunFolder, summary: Summary, told: "_Told") -> Comparison:
  folder.add_seconds(time.perf_counter() - told.begin)
  write_summary(folder.path, summary)
  shutil.rmtree(folder.path / "checkpoints", ignore_errors=True)
  return load(folder.path)


class _Told:
  """Tells what happens, with the things that are the same each time."""

  def __init__(
    self, experiment: Experiment, progress: Callable[[Progress], None]
  ) -> None:
    self.begin = time.perf_counter()
    self._names = experiment.names()
    self._progress = progress

  def __call__(self, event: Any, variant: str, **more: Any) -> None:
    if not is_first():
      return
    self._progress(
      Progress(
        event=event,
        variant=variant,
        index=self._names.index(variant) if variant else 0,
        variants=len(self._names),
        seconds=time.perf_counter() - self.begin,
        **more,
      )
    )


@dataclasses.dataclass(frozen=True)
class _Job:
  """One run's way through its variants."""

  experiment: Experiment
  folder: RunFolder
  told: _Told
  save_seconds: float
  received: list[int]

  def variant(self, name: str, ready: Plan) -> dict[str, Any]:
    """The outcome of a variant: read if finished, else trained."""
    kept = by_first(lambda: self.folder.outcome(name))
    if kept is not None:
      self.told("note", name, message=f"{name} was finished before")
      return kept
    variant = self.experiment.variant(name)
    tests = self.experiment.test_tasks(variant)
    result = self._train(variant, ready, tests)
    self.told(
      "variant",
      name,
      step=max(result["steps"]),
      steps=variant.training.steps,
      score=_best(result["validation"], len(result["learning_rates"])),
    )
    return result

  def measure(self, plans: Mapping[str, Plan]) -> list[Row]:
    """The rows of an experiment that trains nothing."""

    def note(name: str, text: str) -> None:
      self.told("note", name, message=text)
      self._stop_if_asked()

    return measured_rows(self.experiment, plans, note)

  def time(
    self, plans: Mapping[str, Plan], outcomes: dict[str, dict[str, Any]]
  ) -> None:
    """Adds to each outcome how long its steps take."""

    def begin(name: str) -> None:
      self.told("note", name, message=f"timing the steps of {name}")
      self._stop_if_asked()

    for name, times in step_milliseconds(plans, begin).items():
      outcomes[name][TIMED] = times

  def _train(
    self, variant: Variant, ready: Plan, tests: Mapping[str, Task]
  ) -> dict[str, Any]:
    self._stop_if_asked()  # while the variant before was tested
    name = variant.name
    start = by_first(lambda: self._start(name))
    saved = Checkpoints(self.folder.path / "checkpoints" / name)
    self.told("compile", name, steps=variant.training.steps)
    rates = len(variant.training.learning_rates)

    counted = costs(ready)  # what it may raise is not to come hours later
    trained = train(
      ready,
      tests,
      checkpoints=saved,
      save_seconds=self.save_seconds,
      on_chunk=lambda report: by_first(lambda: self._tell(variant, report)),
      on_resume=lambda record: by_first(
        lambda: self.folder.cut(record.get("size", start))
      ),
      note=lambda text: self.told("note", name, message=text),
      stop=lambda: agreed(self.received) > 0,
      measures=self.experiment.measures,
    )

    def keep() -> dict[str, Any]:
      result = outcome(variant, trained, counted, _different(variant, tests))
      result["metrics_end"] = self._size()
      chosen = _pick(trained.parameters, result["chosen"], rates)
      self.folder.keep_parameters(name, chosen)
      self.folder.keep(name, result)
      saved.clear()
      return result

    return by_first(keep)

  def _tell(self, variant: Variant, report: Report) -> dict[str, Any]:
    """Tells of a chunk, and writes its lines; goes into the checkpoint."""
    lines = [{"variant": variant.name, **line} for line in report.lines]
    self.told(
      "chunk",
      variant.name,
      step=report.step,
      steps=variant.training.steps,
      loss=float(np.mean([line["loss"] for line in lines])),
      score=_best(report.validation, len(variant.training.learning_rates)),
      examples_per_second=report.examples / report.seconds,
    )
    return {"size": self.folder.append(lines)}

  def _stop_if_asked(self) -> None:
    if agreed(self.received):
      raise Stopped

  def _start(self, name: str) -> int:
    """The size of `metrics.jsonl` when a variant begins."""
    names = self.experiment.names()
    before = names[: names.index(name)]
    kept = self.folder.outcome(before[-1]) if before else None
    return kept["metrics_end"] if kept else 0

  def _size(self) -> int:
    return (self.folder.path / "metrics.jsonl").stat().st_size


def _different(variant: Variant, tests: Mapping[str, Task]) -> dict[str, int]:
  """How many different examples the tests have that repeat theirs."""
  found = {name: task.split("test").examples for name, task in tests.items()}
  found["train"] = variant.task.split("train").examples
  return {name: count for name, count in found.items() if count is not None}


def _pick(parameters: Any, chosen: int, rates: int) -> Any:
  """The members at the chosen rate, [seed …]."""
  if isinstance(parameters, Mapping):
    return {
      name: _pick(value, chosen, rates) for name, value in parameters.items()
    }
  return parameters[chosen::rates]


def _best(validation: Any, rates: int) -> float:
  """The best mean over seeds of the scores [m]; NaN if all diverged."""
  scores = np.nan_to_num(np.asarray(validation, float), nan=-np.inf)
  best = float(scores.reshape(-1, rates).mean(axis=0).max())
  return best if np.isfinite(best) else np.nan
