"""What a mixer alone costs at several lengths, forward and backward.

Every variant's mixer is compiled for every length, with the gradients of its
parameters and inputs. Then all of these programs take turns (`timing.py`), so
that times can be compared, and the compiler tells the memory.
"""

import dataclasses
import functools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from research.experiment import (
  BYTES,
  BYTES_EXPONENT,
  MILLISECONDS,
  TIME_EXPONENT,
)
from research.places import whole
from research.results import Row
from research.shapes import Activations, RandomKey
from research.statistics.intervals import Interval, mean_interval
from research.timing import ROUNDS, in_turn
from research.training.cost import Costs, flops
from research.training.plan import Plan

MOST_BYTES = 8 * 2**30
"""A program that needs more temporary memory is compiled and not run."""
TURN = 0.05
"""Seconds: a call that is shorter is repeated within its turn."""
LONG = 1024
"""Exponents are those from here on, where there are three such lengths."""


@dataclasses.dataclass(frozen=True)
class Measured:
  """A mixer at one length.

  Attributes:
    length: t.
    costs: counted; FLOPs of one sequence, forward and backward.
    temporary_bytes: of the compiled program.
    compile_seconds: tracing included.
    milliseconds: of a call, by round; NaN where it was not run.
  """

  length: int
  costs: Costs
  temporary_bytes: int
  compile_seconds: float
  milliseconds: tuple[float, ...]


def measure(
  plans: Mapping[str, Plan],
  lengths: Sequence[int],
  told: Callable[[str, str], None] = lambda name, text: None,
) -> dict[str, list[Measured]]:
  """Times and memory of all mixers at all lengths.

  Args:
    plans: of the variants, by name.
    lengths: in increasing order.
    told: told what happens, with the name of a variant or "".
  """
  made, turns = {}, {}
  for name, plan in plans.items():
    for length in lengths:
      told(name, f"compiling for length {length:,}")
      made[name, length], program = _compiled(plan, length)
      memory = made[name, length].temporary_bytes
      if memory > MOST_BYTES:
        told(name, f"length {length:,} is not run, as it takes {memory:,} B")
        continue
      turn = functools.partial(_milliseconds, program, _arguments(plan, length))
      told(name, f"length {length:,} takes about {turn():.3g} ms")
      turns[name, length] = turn
  times = in_turn(turns, lambda i: told("", f"round {i + 1} of {ROUNDS}"))
  nothing = [math.nan] * ROUNDS
  return {
    name: [
      dataclasses.replace(
        made[name, length],
        milliseconds=tuple(times.get((name, length), nothing)),
      )
      for length in lengths
    ]
    for name in plans
  }


def counted(plan: Plan, length: int) -> Costs:
  """Counts over shapes and the jaxpr of one length; nothing is computed."""
  args = _shapes(plan, length)
  work = flops(jax.make_jaxpr(gradients(plan))(*args).jaxpr)
  return Costs(
    sum(math.prod(x.shape) for x in jax.tree.leaves(args.parameters)),
    plan.model.mixer.state_size(plan.model.width, length),
    work / plan.training.batch,
  )


def temporary_bytes(plan: Plan, length: int) -> int:
  """Of the program for one length, which is compiled for it."""
  return _compiled(plan, length)[0].temporary_bytes


def gradients(plan: Plan) -> Callable[..., Any]:
  """What is timed: (parameters, x, cotangent) → y and both gradients."""
  mixer = plan.model.mixer

  def function(parameters: Any, x: Activations, cotangent: Activations) -> Any:
    def forward(parameters: Any, x: Activations) -> Any:
      return mixer.apply({"params": parameters}, x, whole(x))

    y, backward = jax.vjp(forward, parameters, x)
    return y, backward(cotangent)

  return function


def check(plan: Plan, length: int) -> None:
  """Tries a length without computing anything.

  Raises:
    ValueError: whatever the mixer refuses.
  """
  jax.eval_shape(gradients(plan), *_shapes(plan, length))


class _Arguments(NamedTuple):
  """What `gradients` takes, as arrays or shapes."""

  parameters: Any
  x: Activations
  cotangent: Activations


def _arguments(plan: Plan, length: int) -> _Arguments:
  # Under `jit` what only the outputs would need is left out.
  make = jax.jit(functools.partial(_random, plan, length))
  made: _Arguments = make(jax.random.key(0))
  return made


def _shapes(plan: Plan, length: int) -> _Arguments:
  make = functools.partial(_random, plan, length)
  made: _Arguments = jax.eval_shape(make, jax.random.key(0))
  return made


def _random(plan: Plan, length: int, key: RandomKey) -> _Arguments:
  """First parameters, and normal inputs and cotangents."""
  shape = (plan.training.batch, length, plan.model.width)
  keys = jax.random.split(key, 3)
  dtype = jnp.dtype(plan.model.precision)
  x, cotangent = (jax.random.normal(one, shape, dtype) for one in keys[:2])
  variables = plan.model.mixer.init(keys[2], x, whole(x))
  return _Arguments(variables.get("params", {}), x, cotangent)


def _compiled(plan: Plan, length: int) -> tuple[Measured, Callable[..., Any]]:
  """The program of one length, and what is known without running it."""
  begin = time.perf_counter()
  lowered = jax.jit(gradients(plan)).lower(*_shapes(plan, length))
  program = lowered.compile()
  spent = time.perf_counter() - begin
  analysis = program.memory_analysis()
  memory = 0 if analysis is None else int(analysis.temp_size_in_bytes)
  return Measured(length, counted(plan, length), memory, spent, ()), program


def _milliseconds(program: Callable[..., Any], arguments: _Arguments) -> float:
  """How long a call takes, on average over a turn."""
  begin, calls = time.perf_counter(), 0
  while True:
    jax.block_until_ready(program(*arguments))
    calls += 1
    spent = time.perf_counter() - begin
    if spent >= TURN:
      return spent / calls * 1000


def fitted(lengths: Sequence[int]) -> list[int]:
  """The lengths that an exponent is fitted over: the long ones, if three."""
  long = [length for length in lengths if length >= LONG]
  return long if len(long) >= 3 else [*lengths]


def exponent(lengths: Sequence[int], values: Sequence[int | float]) -> float:
  """The slope of log value on log length, by least squares.

  Over those of the `fitted` lengths that have a value; NaN where these are
  fewer than two.
  """
  used = {*fitted(lengths)}
  known = [
    (math.log(length), math.log(value))
    for length, value in zip(lengths, values, strict=True)
    if length in used and math.isfinite(value) and value > 0
  ]
  if len(known) < 2:
    return math.nan
  x, y = np.transpose(known)
  x = x - x.mean()
  return float(x @ y / (x @ x))


def rows(name: str, measured: Sequence[Measured]) -> list[Row]:
  """The rows of a variant: two a length, and the two exponents."""
  lengths = [one.length for one in measured]
  found = []
  for one in measured:
    where = f"length={one.length}"
    memory = (float(one.temporary_bytes),)
    found.append(_row(name, where, MILLISECONDS, one.milliseconds, one))
    found.append(_row(name, where, BYTES, memory, one))
  whole_time = sum(one.compile_seconds for one in measured)
  last = dataclasses.replace(measured[-1], compile_seconds=whole_time)
  by_round = zip(*(one.milliseconds for one in measured), strict=True)
  times = tuple(exponent(lengths, values) for values in by_round)
  memory = (exponent(lengths, [one.temporary_bytes for one in measured]),)
  found.append(_row(name, "all", TIME_EXPONENT, times, last))
  found.append(_row(name, "all", BYTES_EXPONENT, memory, last))
  return found


def _row(
  name: str,
  where: str,
  metric: str,
  values: tuple[float, ...],
  one: Measured,
) -> Row:
  exact = Interval(values[0], values[0], values[0])  # counted, not measured
  interval = exact if len(values) == 1 else mean_interval(np.asarray(values))
  return Row(
    variant=name,
    task="test",
    slice=where,
    metric=metric,
    **dataclasses.asdict(interval),
    values=values,
    learning_rate=math.nan,
    **dataclasses.asdict(one.costs),
    temporary_bytes=one.temporary_bytes,
    compile_seconds=one.compile_seconds,
    train_seconds=math.nan,
    examples_per_second=math.nan,
    steps=0,
  )
