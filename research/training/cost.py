"""What a variant costs, counted before it is trained."""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp

from research.training.member import initialise, members
from research.training.plan import Plan


@dataclasses.dataclass(frozen=True)
class Costs:
  """Counts of one variant.

  Attributes:
    parameters: learned numbers.
    state_size: numbers carried to the next token, over all layers.
    flops_per_example: of forward and backward in training, matrix products
      alone, a multiplication and an addition counted as two.
  """

  parameters: int
  state_size: int
  flops_per_example: float


def costs(plan: Plan) -> Costs:
  """Counts over shapes and the jaxpr; nothing is computed."""
  first = jax.tree.map(lambda leaf: leaf[0], members(plan.training))
  member = jax.tree.map(jnp.asarray, first)
  state = jax.eval_shape(lambda: initialise(plan, member))
  keys = jax.random.split(jax.random.key(0), plan.training.batch)
  batch = jax.eval_shape(plan.task.split("train").batch, keys)
  gradient = jax.grad(lambda p, b: plan.loss(p, b)[0])
  work = flops(jax.make_jaxpr(gradient)(state.parameters, batch).jaxpr)
  return Costs(
    sum(math.prod(x.shape) for x in jax.tree.leaves(state.parameters)),
    plan.model.state_size(plan.task.length),
    work / plan.training.batch,
  )


def flops(jaxpr: Any) -> int:
  """FLOPs of the matrix products and FFTs of a jaxpr.

  The compiler's own count sees the body of a scan once; this one multiplies
  by its length. A `cond` counts its dearest branch, a `while` one round.
  Elementwise work is not counted.
  """
  total = 0
  for equation in jaxpr.eqns:
    name = equation.primitive.name
    if name == "dot_general":
      (left, _), _ = equation.params["dimension_numbers"]
      shared = [equation.invars[0].aval.shape[axis] for axis in left]
      total += 2 * math.prod(equation.outvars[0].aval.shape + tuple(shared))
    elif name == "fft":
      total += _fft(equation)
    else:
      parts = [flops(part) for part in _jaxprs(equation.params)]
      inner = max(parts, default=0) if name == "cond" else sum(parts)
      total += (equation.params["length"] if name == "scan" else 1) * inner
  return total


def _fft(equation: Any) -> int:
  """5 n log₂ n for complex transforms, half of it for real ones."""
  shape = equation.params["fft_lengths"]
  size = math.prod(shape)
  axes = len(shape)
  rows = math.prod(equation.invars[0].aval.shape[:-axes])
  kinds = (jax.lax.FftType.RFFT, jax.lax.FftType.IRFFT)
  real = equation.params["fft_type"] in kinds
  work = 5 * size * math.log2(max(size, 2)) * rows
  return int(work / 2 if real else work)


def _jaxprs(params: dict[str, Any]) -> list[Any]:
  def is_jaxpr(value: Any) -> bool:
    return hasattr(value, "eqns") or hasattr(value, "jaxpr")

  leaves = jax.tree.leaves(list(params.values()), is_leaf=is_jaxpr)
  return [getattr(leaf, "jaxpr", leaf) for leaf in leaves if is_jaxpr(leaf)]
