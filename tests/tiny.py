"""One tiny experiment that all tests of runs share, compiled once.

As a program it runs the experiment in a process of its own, for tests that
kill it: `python -m tests.tiny FOLDER EVENT [LIMIT]`. At the chunk of number
EVENT, counted over all variants, it kills itself, or, if there is a LIMIT,
lets no file grow beyond so many bytes.
"""

import dataclasses
import os
import pathlib
import resource
import signal
import subprocess
import sys
from typing import Any

from research.experiment import Change, Claim, Experiment, Measure
from tests.training.problem import MODEL, TASK, TRAINING

ROOT = pathlib.Path(__file__).parents[1]

EXPERIMENT = Experiment(
  name="tiny",
  question="Does a longer warm-up matter?",
  background="Nobody knows.",
  task=TASK,
  model=MODEL,
  training=dataclasses.replace(TRAINING, steps=10, evaluate_every=4),
  variants=(
    Change("first"),
    Change("second", (("training.weight_decay", 0.5),)),
  ),
  tests=(Change("easy", (("task.asked", (1,)),)),),
  claims=(
    Claim("same", "decay", Measure("first"), Measure("second"), 0.1),
    Claim("better", "chance", Measure("first", "asked=1"), "chance", 0.0),
  ),
  difficulty="asked",
  scale="smoke",
)
CHUNKS = 6
"""Of 4, 4 and 2 steps in each of the two variants."""


class Listener:
  """Keeps what it is told by a run, and does something at an event."""

  def __init__(self, number=0, action=lambda: None, event="chunk"):
    self.told: list[Any] = []
    self.number, self.action, self.event = number, action, event

  def __call__(self, progress):
    self.told.append(progress)
    if progress.event == self.event and len(self.of(self.event)) == self.number:
      self.action()

  def of(self, event):
    return [one for one in self.told if one.event == event]

  @property
  def notes(self):
    return [one.message for one in self.of("note")]


def start(
  folder: pathlib.Path, event: int, limit: int | None = None
) -> subprocess.CompletedProcess:
  """Runs the experiment in a process of its own."""
  more = [] if limit is None else [str(limit)]
  return subprocess.run(
    [sys.executable, "-m", "tests.tiny", str(folder), str(event), *more],
    cwd=ROOT,
    env={**os.environ, "PYTHONPATH": str(ROOT)},
    capture_output=True,
    text=True,
    timeout=100,
    check=False,
  )


def main(
  folder: str,
  event: str,
  limit: str | None = None,
  experiment: Experiment = EXPERIMENT,
) -> int:
  """Runs until the event, and on if it survives it."""
  from research.run import Progress, run

  chunks = 0

  def listen(progress: Progress) -> None:
    nonlocal chunks
    chunks += progress.event == "chunk"
    if progress.event == "chunk" and chunks == int(event):
      if limit is None:
        os.kill(os.getpid(), signal.SIGKILL)
      _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
      resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit or 0), hard))

  try:
    run(experiment, out=folder, save_seconds=0.0, progress=listen)
  except ValueError as error:
    print(error)
    return 2
  return 0


if __name__ == "__main__":
  import tests.conftest  # noqa: F401  (the settings of the tests)

  sys.exit(main(*sys.argv[1:]))
