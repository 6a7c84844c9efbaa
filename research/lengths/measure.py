"""Every variant at every length, all of them in turn.

Every variant's mixer is compiled for every length, with the gradients of its
parameters and inputs, and where it generates for one token at the end of a
sequence of that length. Then all of these programs take turns (`timing.py`),
so that times can be compared, and the compiler tells the memory.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

from research.lengths.agreement import (
  NOT_COMPARED,
  Difference,
  difference,
  largest,
)
from research.lengths.alone import (
  Arguments,
  Program,
  arguments,
  compiled,
  counted,
  is_precise,
)
from research.lengths.generation import Generator, Stream, state_bytes
from research.timing import ROUNDS, in_turn, seconds_of_call
from research.training.cost import Costs
from research.training.plan import Plan

MOST_BYTES = 8 * 2**30
"""A program that needs more temporary memory is compiled and not run."""
MOST_SECONDS = 2.0
"""Beyond a length at which a call takes more, a variant is not run."""
TURN = 0.05
"""Seconds: a call that is shorter is repeated within its turn."""


@dataclasses.dataclass(frozen=True)
class Generated:
  """One token after another, up to one length.

  Attributes:
    state_bytes: what is carried to the next token of a sequence.
    microseconds: of a token, by round.
    difference: of the outputs from those of the whole sequence at once,
      relative to the largest; NaN where that was not run.
  """

  state_bytes: int
  microseconds: tuple[float, ...]
  difference: float


@dataclasses.dataclass(frozen=True)
class Measured:
  """A mixer at one length.

  Attributes:
    length: t.
    costs: counted; FLOPs of one sequence, forward and backward.
    temporary_bytes: of the compiled program.
    compile_seconds: tracing included.
    milliseconds: of a call, by round; NaN where it was not run.
    generated: None where that was not asked for, or the mixer is not causal.
    difference: from the variant that it has to agree with, if there is one;
      NaN where one of them was not run.
  """

  length: int
  costs: Costs
  temporary_bytes: int
  compile_seconds: float
  milliseconds: tuple[float, ...]
  generated: Generated | None = None
  difference: Difference | None = None


def measure(
  plans: Mapping[str, Plan],
  lengths: Sequence[int],
  told: Callable[[str, str], None] = lambda name, text: None,
  *,
  generation: bool = False,
  same: Sequence[Sequence[str]] = (),
) -> dict[str, list[Measured]]:
  """Times and memory of all mixers at all lengths.

  Args:
    plans: of the variants, by name.
    lengths: in increasing order.
    told: told what happens, with the name of a variant or "".
    generation: whether causal mixers make tokens one by one, too.
    same: groups of variants, all of which get the parameters of the first
      and are compared with it.
  """
  first = {name: group[0] for group in same for name in group}
  job = _Job(plans, lengths, told, generation, first)
  for name in plans:
    job.prepare(name)
  times = in_turn(job.turns, lambda i: told("", f"round {i + 1} of {ROUNDS}"))
  return {
    name: [_timed(job.made[name, length], name, times) for length in lengths]
    for name in plans
  }


@dataclasses.dataclass
class _Job:
  """What is made ready: programs that take turns, and all that is counted."""

  plans: Mapping[str, Plan]
  lengths: Sequence[int]
  told: Callable[[str, str], None]
  generation: bool
  first: Mapping[str, str]

  def __post_init__(self) -> None:
    self.made: dict[tuple[str, int], Measured] = {}
    self.turns: dict[tuple[str, int, str], Callable[[], float]] = {}
    self._given: dict[tuple[str, int], Arguments] = {}
    self._results: dict[tuple[str, int], Any] = {}

  def prepare(self, name: str) -> None:
    """Compiles a variant for all lengths, and tries them."""
    plan, slow = self.plans[name], False
    causal = self.generation and plan.model.mixer.causal
    generator = Generator(plan) if causal else None
    for length in self.lengths:
      self.told(name, f"compiling for length {length:,}")
      program = compiled(plan, length)
      one = Measured(
        length,
        counted(plan, length),
        program.temporary_bytes,
        program.seconds,
        (math.nan,) * ROUNDS,
      )
      runs = self._may_run(name, one, slow)
      if runs:
        slow = self._try(name, length, program.call)
      if runs and (name in self.first or generator):
        self._results[name, length] = self._precise(name, length, program.call)
      if generator:
        one = self._generate(name, one, generator)
      self.made[name, length] = self._compare(name, one)

  def _may_run(self, name: str, one: Measured, slow: bool) -> bool:
    if one.temporary_bytes > MOST_BYTES:
      reason = f"it takes {one.temporary_bytes:,} B"
    elif slow:
      reason = f"a shorter one takes more than {MOST_SECONDS:g} s"
    else:
      return True
    self.told(name, f"length {one.length:,} is not run, as {reason}")
    return False

  def _try(self, name: str, length: int, program: Program) -> bool:
    """Lets a program take turns, and tells whether it is a slow one."""
    arguments = self._arguments(name, length)
    turn = functools.partial(_milliseconds, program, arguments)
    self.turns[name, length, "call"] = turn
    spent = turn()
    self.told(name, f"length {length:,} takes about {spent:.3g} ms")
    return spent > MOST_SECONDS * 1000

  def _arguments(self, name: str, length: int) -> Arguments:
    name = self.first.get(name, name)
    if (name, length) not in self._given:
      self._given[name, length] = arguments(self.plans[name], length)
    return self._given[name, length]

  def _precise(self, name: str, length: int, program: Program) -> Any:
    if not is_precise():
      program = compiled(self.plans[name], length, precise=True).call
    return jax.device_get(program(*self._arguments(name, length)))

  def _generate(
    self, name: str, one: Measured, generator: Generator
  ) -> Measured:
    before, length = generator.seconds, one.length
    stream = generator.stream(self._arguments(name, length))
    turn = functools.partial(_microseconds, stream)
    self.turns[name, length, "token"] = turn
    text = f"a token at length {length:,} takes about {turn():.3g} µs"
    self.told(name, text)
    apart = math.nan
    if (name, length) in self._results:
      apart = largest(stream.outputs, self._results[name, length][0])
    return dataclasses.replace(
      one,
      compile_seconds=one.compile_seconds + generator.seconds - before,
      generated=Generated(state_bytes(generator.plan, length), (), apart),
    )

  def _compare(self, name: str, one: Measured) -> Measured:
    first = self.first.get(name, name)
    if first == name:
      return one
    found = [self._results.get((n, one.length)) for n in (name, first)]
    apart = NOT_COMPARED if None in found else difference(*found)
    return dataclasses.replace(one, difference=apart)


def _timed(
  one: Measured, name: str, times: Mapping[tuple[str, int, str], list[float]]
) -> Measured:
  """With the times of all rounds."""
  calls = times.get((name, one.length, "call"))
  if calls is not None:
    one = dataclasses.replace(one, milliseconds=tuple(calls))
  if one.generated is None:
    return one
  tokens = tuple(times[name, one.length, "token"])
  generated = dataclasses.replace(one.generated, microseconds=tokens)
  return dataclasses.replace(one, generated=generated)


def _microseconds(stream: Stream) -> float:
  return stream.microseconds(TURN)


def _milliseconds(program: Program, arguments: Arguments) -> float:
  return seconds_of_call(program, arguments, TURN) * 1000
