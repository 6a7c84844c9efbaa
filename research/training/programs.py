"""The compiled programs of a variant: start, chunk, and one per test task."""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import jax
import numpy as np

from research.processes import gathered, placed
from research.tasks.base import Task
from research.training.devices import Spread, spread
from research.training.evaluation import one_by_one
from research.training.loop import chunk
from research.training.measures import MEASURES, Measuring
from research.training.member import (
  Member,
  State,
  initialise,
  members,
  root,
)
from research.training.plan import Plan
from research.training.written import written_one_by_one

Checks = Mapping[str, Callable[[Any], dict[str, Any]]]
"""By name: from the parameters to what was found, on the host."""


@dataclasses.dataclass(frozen=True)
class Programs:
  """What runs on the devices, compiled before anything is trained.

  Attributes:
    members: the stacked members, on the devices.
    real: the number of members that are no fillers.
    start: () → stacked State.
    chunk: stacked State → (stacked State, mean training losses [m]).
    tests: test task → (parameters → losses, scores, weights and slices);
      "train" has the training examples, where these are finite.
    written: test task → (parameters → edits, sizes and slices), of tasks with
      a source.
    measures: (parameters → scores, weights and slices by metric), each once
      that gives what was asked for.
    compile_seconds: of all of them.
    temporary_bytes: of the chunk, by the compiler's own analysis.
  """

  members: Member
  real: int
  start: Callable[[], State]
  chunk: Callable[[State], tuple[State, Any]]
  tests: Checks
  written: Checks
  measures: Checks
  compile_seconds: float
  temporary_bytes: int


def compile_programs(
  plan: Plan,
  tests: Mapping[str, Task],
  layout: Spread | None = None,
  measures: Sequence[str] = (),
) -> Programs:
  """Compiles all programs of a variant.

  Args:
    plan: what is trained.
    tests: test tasks by name.
    layout: how members lie over devices; None for all devices.
    measures: the names of some of `MEASURES`.

  Raises:
    ValueError: the batch does not divide among devices.
  """
  begin = time.perf_counter()
  training = plan.training
  count = training.seeds * len(training.learning_rates)
  layout = layout or spread(count, training.batch)
  stacked = placed(members(training, layout.groups), layout.sharding)
  start = _start(plan, layout).lower(stacked).compile()
  state = _shapes(start)
  advance = _chunk(plan, layout).lower(stacked, state).compile()

  def compiled(checks: Mapping[str, Any]) -> Checks:
    return {
      name: _on_host(
        check.lower(stacked, state.parameters).compile(), stacked, count
      )
      for name, check in checks.items()
    }

  return Programs(
    members=stacked,
    real=count,
    start=lambda: start(stacked),
    chunk=lambda state: advance(stacked, state),
    tests=compiled(_tests(plan, tests, layout)),
    written=compiled(
      {
        name: _written(plan, task, layout)
        for name, task in tests.items()
        if task.reads_source
      }
    ),
    measures=compiled(_measures(plan, measures, layout)),
    compile_seconds=time.perf_counter() - begin,
    temporary_bytes=_temporary_bytes(advance),
  )


def _start(plan: Plan, layout: Spread) -> Any:
  # Never vmap: a batched orthogonal initialiser can hang on CPU.
  return jax.jit(
    layout.over(lambda member: initialise(plan, member), together=False)
  )


def _chunk(plan: Plan, layout: Spread) -> Any:
  def advance(member: Member, state: State) -> tuple[State, Any]:
    return chunk(plan, member, state, layout.shards)

  return jax.jit(layout.over(advance), donate_argnums=1)


def _shapes(start: Any) -> State:
  """Of what the compiled program gives, and where it lies."""
  shapes: State = jax.tree.map(
    lambda leaf, where: jax.ShapeDtypeStruct(
      leaf.shape, leaf.dtype, sharding=where
    ),
    start.out_info,
    start.output_shardings,
  )
  return shapes


def _tests(
  plan: Plan, tests: Mapping[str, Task], layout: Spread
) -> dict[str, Any]:
  checks = {name: _check(plan, task, layout) for name, task in tests.items()}
  if plan.training.examples:
    checks["train"] = _check(plan, plan.task, layout, "train")
  return checks


def _check(
  plan: Plan,
  task: Task,
  layout: Spread,
  split: Literal["train", "test"] = "test",
) -> Any:
  count, task = plan.training.test, task.split(split)
  if split == "train":
    count = min(count, plan.training.examples)

  def check(member: Member, parameters: Any) -> dict[str, Any]:
    return one_by_one(plan, task, parameters, root(member.seed, split), count)

  return jax.jit(layout.over(check))


def _written(plan: Plan, task: Task, layout: Spread) -> Any:
  """The same test examples, written token by token."""
  count, task = plan.training.test, task.split("test")

  def check(member: Member, parameters: Any) -> dict[str, Any]:
    key = root(member.seed, "test")
    return written_one_by_one(plan, task, parameters, key, count)

  return jax.jit(layout.over(check))


def _measures(plan: Plan, names: Sequence[str], layout: Spread) -> Any:
  """Each function once, by one of the metrics that it gives."""
  asked = {MEASURES[name]: name for name in names}
  return {
    name: _measure(plan, measure, layout) for measure, name in asked.items()
  }


def _measure(plan: Plan, measure: Measuring, layout: Spread) -> Any:
  """As many test examples as validation has: some take a backward pass."""
  count = plan.training.validation

  def check(member: Member, parameters: Any) -> dict[str, Any]:
    return measure(plan, parameters, root(member.seed, "test"), count)

  return jax.jit(layout.over(check))


def _on_host(
  check: Any, stacked: Member, real: int
) -> Callable[[Any], dict[str, Any]]:
  def run(parameters: Any) -> dict[str, Any]:
    found: dict[str, Any] = jax.tree.map(
      lambda value: np.asarray(value)[:real],
      gathered(check(stacked, parameters)),
    )
    return found

  return run


def _temporary_bytes(compiled: Any) -> int:
  analysis = compiled.memory_analysis()
  return int(analysis.temp_size_in_bytes) if analysis is not None else 0
