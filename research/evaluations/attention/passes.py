"""The forward pass over all blocks, and its derivative."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from research.evaluations.attention.backward import Kept, backward_pass
from research.evaluations.attention.block import At
from research.evaluations.attention.closure import Hoisted
from research.evaluations.attention.mesh import alike
from research.evaluations.attention.sweeps import (
  Captured,
  Phase,
  Seen,
  Step,
  Tensors,
  asked,
  parts,
  put,
  rows_at,
  sweep,
)
from research.normalizers.base import NOBODY, Rows


def evaluate(tensors: Tensors, phases: list[Phase]) -> Array:
  """What is read, [b heads t v] float32."""
  captured = [
    {
      name: function.captured
      for name, function in phase._asdict().items()
      if isinstance(function, Hoisted)
    }
    for phase in phases
  ]

  @jax.custom_vjp
  def run(tensors: Tensors, captured: list[Captured]) -> Array:
    return _forward(phases, tensors, captured)[0]

  def forward(tensors: Tensors, captured: list[Captured]) -> Any:
    y, rows, seen = _forward(phases, tensors, captured)
    return y, Kept(tensors, captured, seen, y, rows)

  def backward(kept: Kept, slope: Array) -> Any:
    return backward_pass(phases, kept, slope)

  run.defvjp(forward, backward)
  return run(tensors, captured)


def _forward(
  phases: list[Phase], tensors: Tensors, captured: list[Captured]
) -> tuple[Array, Rows, list[Seen]]:
  """What is read, what is known of the rows, [b h t 1], and blocks seen."""
  first = phases[0]
  number = first.divisor.shapes.shape
  rows = Rows(
    jnp.full(number, NOBODY, jnp.float32), jnp.zeros(number, jnp.float32)
  )
  batch, heads, _, width = first.read.shapes[0].shape
  whole = batch, heads * first.groups, number[2], width
  read = jnp.zeros(whole, jnp.float32)
  rows, read = alike((rows, read), tensors, captured)
  seen = [
    asked(phase, own, tensors)
    for phase, own in zip(phases, captured, strict=True)
  ]
  each = [*zip(phases, captured, seen, strict=True)]
  if first.online:
    carry = rows, read
    for phase, own, look in each:
      carry = sweep(phase, look, _online(phase, own, tensors), carry)
    rows, read = carry
    read /= first.divisor.call(captured[0]["divisor"], rows)
    return read, rows, seen
  for phase, own, look in each:
    rows = sweep(phase, look, _know(phase, own, tensors), rows)
  for phase, own, look in each:
    read = sweep(phase, look, _add(phase, own, tensors, rows), read)
  return read, rows, seen


def _online(phase: Phase, own: Captured, tensors: Tensors) -> Step:
  """Rows and what is read, put together as blocks come."""

  def step(carry: Any, at: At) -> Any:
    given = *parts(phase, tensors, at), *rows_at(carry, at, phase)
    new = phase.forward.call(own["forward"], *given, at)
    return put(carry, new, at, at.row)

  return step


def _know(phase: Phase, own: Captured, tensors: Tensors) -> Step:
  """What has to be known of the rows."""

  def step(rows: Rows, at: At) -> Rows:
    q, k, _ = parts(phase, tensors, at)
    given = q, k, rows_at(rows, at, phase)
    new = phase.forward.call(own["forward"], *given, at)
    return put(rows, new, at, at.row)

  return step


def _add(phase: Phase, own: Captured, tensors: Tensors, rows: Rows) -> Step:
  """What is read, all rows being known."""

  def step(read: Array, at: At) -> Array:
    given = *parts(phase, tensors, at), rows_at(rows, at, phase)
    more = phase.read.call(own["read"], *given, at)[0]
    return put(read, rows_at(read, at, phase) + more, at, at.row)

  return step
