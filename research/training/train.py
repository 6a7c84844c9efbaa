"""The host's side of training: chunk by chunk, seen, saved and resumed."""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from research.processes import gathered, largest
from research.tasks.base import Task
from research.training.checkpoint import Checkpoints
from research.training.devices import Spread
from research.training.measures import initial
from research.training.member import RUNNING, STATUS, State
from research.training.plan import Plan
from research.training.programs import Programs, compile_programs


@dataclasses.dataclass(frozen=True)
class Report:
  """What the host sees at the end of a chunk.

  Attributes:
    step: the most steps any member has taken.
    lines: one for every member that was running: the curves.
    validation: the last validation score of every member [m].
    seconds: spent in training so far, this chunk included.
    examples: trained on so far, over all members.
  """

  step: int
  lines: tuple[dict[str, Any], ...]
  validation: np.ndarray
  seconds: float
  examples: int


@dataclasses.dataclass(frozen=True)
class Trained:
  """A finished sweep; every array has the first axis [m].

  Attributes:
    status: one of `STATUS` each.
    steps: taken.
    validation: the last validation score; NaN where diverged.
    tests: test task → losses, scores, weights, slices [m count a].
    parameters: stacked.
    measures: before and after training, by metric; as tests have it.
    written: test task → edits, sizes and slices [m count 1] of what was
      written, where a task has a source.
  """

  status: list[str]
  steps: np.ndarray
  validation: np.ndarray
  tests: dict[str, dict[str, np.ndarray]]
  parameters: Any
  compile_seconds: float
  train_seconds: float
  temporary_bytes: int
  examples: int
  measures: dict[str, dict[str, np.ndarray]] = dataclasses.field(
    default_factory=dict
  )
  written: dict[str, dict[str, np.ndarray]] = dataclasses.field(
    default_factory=dict
  )


class Stopped(Exception):
  """Training was asked to stop; where there are checkpoints, it is saved."""


def train(
  plan: Plan,
  tests: Mapping[str, Task],
  *,
  checkpoints: Checkpoints | None = None,
  save_seconds: float = 10.0,
  on_chunk: Callable[[Report], dict[str, Any]] = lambda report: {},
  on_resume: Callable[[dict[str, Any]], None] = lambda record: None,
  note: Callable[[str], None] = lambda text: None,
  stop: Callable[[], bool] = lambda: False,
  layout: Spread | None = None,
  measures: Sequence[str] = (),
) -> Trained:
  """Trains all members of a variant side by side.

  Several processes train together: each calls this with the same arguments,
  hears the same, and `stop` has to say the same to all.

  Args:
    plan: made by `plan`, which has checked it.
    tests: test tasks by name.
    checkpoints: where to save and to resume from; None to do neither.
    save_seconds: the least time between checkpoints.
    on_chunk: told of every chunk; what it returns goes into the checkpoint.
    on_resume: given back what `on_chunk` returned last before the
      checkpoint; called with {} where there is none.
    note: told of damaged checkpoints.
    stop: asked after compiling and after every chunk.
    layout: how members lie over devices; None for all devices.
    measures: the names of those taken before and after training.

  Raises:
    Stopped: `stop` said so; what was trained is in the checkpoints, if there
      are any.
  """
  programs = compile_programs(plan, tests, layout, measures)
  if stop():  # asked while compiling, with nothing new to save
    raise Stopped
  state, seconds = programs.start(), 0.0
  saved = checkpoints.restore(state, note) if checkpoints else None
  record: dict[str, Any] = {}
  if saved is not None:
    state, record = saved
    seconds = record["seconds"]
  on_resume(record.get("own", {}))
  last_save = time.perf_counter()
  while np.any(_real(programs, state.status) == RUNNING):
    before = _real(programs, state.step)
    begin = time.perf_counter()
    state, losses = programs.chunk(state)
    losses = _real(programs, losses)
    seconds += time.perf_counter() - begin
    report = _report(plan, programs, state, before, losses, seconds)
    record = {"seconds": seconds, "own": on_chunk(report)}
    stopping = stop()
    due = largest(time.perf_counter() - last_save >= save_seconds)
    if checkpoints and (due or stopping):
      checkpoints.save(report.step, state, record)
      last_save = time.perf_counter()
    if stopping:
      raise Stopped
  return _trained(plan, programs, state, seconds)


def _report(
  plan: Plan,
  programs: Programs,
  state: State,
  before: np.ndarray,
  losses: np.ndarray,
  seconds: float,
) -> Report:
  members, training = programs.members, plan.training
  steps = _real(programs, state.step)
  names = ("seed", "learning_rate")
  who = {n: _real(programs, getattr(members, n)) for n in names}
  status = _real(programs, state.status)
  loss, score = (_real(programs, x) for x in (state.loss, state.score))
  lines = tuple(
    {
      "seed": int(who["seed"][m]),
      "learning_rate": _shortest(who["learning_rate"][m]),
      "step": int(steps[m]),
      "loss": float(losses[m]),
      "validation_loss": float(loss[m]),
      "validation": float(score[m]),
      "status": STATUS[status[m]],
    }
    for m in np.flatnonzero(steps > before)
  )
  examples = int(steps.sum()) * training.batch
  return Report(int(steps.max()), lines, score, seconds, examples)


def _trained(
  plan: Plan, programs: Programs, state: State, seconds: float
) -> Trained:
  status = _real(programs, state.status)
  steps = _real(programs, state.step)
  return Trained(
    status=[STATUS[code] for code in status],
    steps=steps,
    validation=_real(programs, state.score),
    tests={
      name: test(state.parameters) for name, test in programs.tests.items()
    },
    parameters=jax.tree.map(lambda x: _real(programs, x), state.parameters),
    compile_seconds=programs.compile_seconds,
    train_seconds=seconds,
    temporary_bytes=programs.temporary_bytes,
    examples=int(steps.sum()) * plan.training.batch,
    measures=_measures(programs, state),
    written={
      name: write(state.parameters) for name, write in programs.written.items()
    },
  )


def _measures(programs: Programs, state: State) -> dict[str, Any]:
  found = {}
  first = programs.start() if programs.measures else state
  for measure in programs.measures.values():
    before, after = measure(first.parameters), measure(state.parameters)
    for name in after:
      found[initial(name)], found[name] = before[name], after[name]
  return found


def _real(programs: Programs, stacked: Any) -> np.ndarray:
  """Without the fillers, on the host.

  A copy: on CPU the array would share the buffer that the next chunk is
  given to write into.
  """
  return np.array(gathered(stacked))[: programs.real]


def _shortest(rate: np.float32) -> float:
  """The decimal number that was meant: 0.003, not 0.003000000026."""
  return float(str(np.float32(rate)))
