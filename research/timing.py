"""How long a training step of each variant takes, measured in turn.

The speed of a shared machine drifts: variants trained one after the other
cannot be compared by their seconds. Rounds in which all take turns drift
together, so differences within a round can be trusted. The rounds are those
of one process and one compiled program: their spread says nothing about
another.
"""

import dataclasses
import math
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, TypeVar

import jax

from research.training.devices import spread
from research.training.member import RUNNING
from research.training.plan import Plan
from research.training.programs import compile_programs

ROUNDS = 7
STEPS = 20
"""Of a turn, with an evaluation of one batch at its end."""

Key = TypeVar("Key", bound=Hashable)
"""Whatever tells those that take turns apart."""


def step_milliseconds(
  plans: Mapping[str, Plan], told: Callable[[str], None] = lambda name: None
) -> dict[str, list[float]]:
  """Milliseconds a step of one member on one device takes, by round.

  Args:
    plans: of the variants, by name.
    told: told the name of each variant that is made ready.

  Returns:
    `ROUNDS` numbers a variant; NaN from where its training diverged.
  """
  turns = {}
  for name, plan in plans.items():
    told(name)
    turns[name] = _turn(plan)
    turns[name]()  # the first turn warms up
  return in_turn(turns)


def in_turn(
  turns: Mapping[Key, Callable[[], float]],
  told: Callable[[int], None] = lambda number: None,
  rounds: int = ROUNDS,
) -> dict[Key, list[float]]:
  """What each function returned in the rounds in which all take turns.

  Args:
    turns: functions that were warmed up.
    told: told the number of each round, from 0, before it begins.
    rounds: how many.
  """
  found: dict[Key, list[float]] = {name: [] for name in turns}
  for number in range(rounds):
    told(number)
    for name, turn in turns.items():
      found[name].append(turn())
  return found


def seconds_of_call(
  program: Callable[..., Any], arguments: Sequence[Any], least: float
) -> float:
  """How long a call takes, on average over a turn of `least` seconds."""
  begin, calls = time.perf_counter(), 0
  while True:
    jax.block_until_ready(program(*arguments))
    calls += 1
    spent = time.perf_counter() - begin
    if spent >= least:
      return spent / calls


def _turn(plan: Plan) -> Callable[[], float]:
  """A function that trains on for a turn, and tells how long a step took."""
  training = dataclasses.replace(
    plan.training,
    steps=10**9,
    seeds=1,
    learning_rates=plan.training.learning_rates[:1],
    evaluate_every=STEPS,
    validation=plan.training.batch,
    test=plan.training.batch,
    target=math.inf,
  )
  alone = spread(1, training.batch, jax.devices()[:1])
  plan = dataclasses.replace(plan, training=training)
  programs = compile_programs(plan, {}, alone)
  state = programs.start()

  def turn() -> float:
    nonlocal state
    begin = time.perf_counter()
    state, _ = jax.block_until_ready(programs.chunk(state))
    spent = time.perf_counter() - begin
    running = int(state.status[0]) == RUNNING
    return spent / STEPS * 1000 if running else math.nan

  return turn
