"""A mixer alone at one length: its output and both gradients, and counts."""

import contextlib
import dataclasses
import functools
import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from research.places import whole
from research.shapes import Activations, RandomKey
from research.training.cost import Costs, flops
from research.training.plan import Plan

Program = Callable[..., Any]


@dataclasses.dataclass(frozen=True)
class Compiled:
  """The program of one length, and what is known without running it.

  Attributes:
    call: what `gradients` does.
    temporary_bytes: of the compiled program.
    seconds: that tracing and compiling took.
  """

  call: Program
  temporary_bytes: int
  seconds: float


class Arguments(NamedTuple):
  """What `gradients` takes, as arrays or shapes."""

  parameters: Any
  x: Activations
  cotangent: Activations


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
  jax.eval_shape(gradients(plan), *shapes(plan, length))


def counted(plan: Plan, length: int) -> Costs:
  """Counts over shapes and the jaxpr of one length; nothing is computed."""
  args = shapes(plan, length)
  work = flops(jax.make_jaxpr(gradients(plan))(*args).jaxpr)
  return Costs(
    sum(math.prod(x.shape) for x in jax.tree.leaves(args.parameters)),
    plan.model.mixer.state_size(plan.model.width, length),
    work / plan.training.batch,
  )


def temporary_bytes(plan: Plan, length: int) -> int:
  """Of the program for one length, which is compiled for it."""
  return compiled(plan, length).temporary_bytes


def compiled(plan: Plan, length: int, *, precise: bool = False) -> Compiled:
  """The program of one length."""
  begin = time.perf_counter()
  with precisely(precise):
    lowered = jax.jit(gradients(plan)).lower(*shapes(plan, length))
  program = lowered.compile()
  spent = time.perf_counter() - begin
  analysis = program.memory_analysis()
  memory = 0 if analysis is None else int(analysis.temp_size_in_bytes)
  return Compiled(program, memory, spent)


def arguments(plan: Plan, length: int) -> Arguments:
  """First parameters, and normal inputs and cotangents."""
  # Under `jit` what only the outputs would need is left out.
  make = jax.jit(functools.partial(_random, plan, length))
  made: Arguments = make(jax.random.key(0))
  return made


def shapes(plan: Plan, length: int) -> Arguments:
  """Of the arguments."""
  make = functools.partial(_random, plan, length)
  made: Arguments = jax.eval_shape(make, jax.random.key(0))
  return made


def precisely(wanted: bool = True) -> contextlib.AbstractContextManager[Any]:
  """Where float32 products are compiled to have all their digits, if wanted.

  Accelerators multiply with fewer by default, by which the forms of a mixer
  then differ.
  """
  if not wanted:
    return contextlib.nullcontext()
  return jax.default_matmul_precision("highest")


def is_precise() -> bool:
  """Whether all programs have these digits, so that one of each is enough."""
  return jax.default_backend() == "cpu"


def _random(plan: Plan, length: int, key: RandomKey) -> Arguments:
  shape = (plan.training.batch, length, plan.model.width)
  keys = jax.random.split(key, 3)
  dtype = jnp.dtype(plan.model.precision)
  x, cotangent = (jax.random.normal(one, shape, dtype) for one in keys[:2])
  variables = plan.model.mixer.init(keys[2], x, whole(x))
  return Arguments(variables.get("params", {}), x, cotangent)
