"""The backward pass over all blocks; scores are made again."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from research.evaluations.attention.block import At
from research.evaluations.attention.closure import has_slope
from research.evaluations.attention.mesh import alike
from research.evaluations.attention.products import along_rows
from research.evaluations.attention.sweeps import (
  Captured,
  Phase,
  Seen,
  Step,
  Tensors,
  parts,
  put,
  rows_at,
  sweep,
)
from research.normalizers.base import Rows


class Kept(NamedTuple):
  """What the forward pass leaves for the backward pass.

  Attributes:
    tensors: queries, keys and values.
    captured: what the functions of each phase close over.
    seen: the blocks of each phase that have to be looked at.
    y: what was read, [b heads t v].
    rows: what was known of the rows, [b h t 1].
  """

  tensors: Tensors
  captured: list[Captured]
  seen: list[Seen]
  y: Array
  rows: Rows


def backward_pass(
  phases: list[Phase], kept: Kept, slope: Array
) -> tuple[Tensors, list[dict[str, tuple | None]]]:
  """Gradients of the tensors, and of what `read` closes over.

  Args:
    phases: the blocks, and their functions.
    kept: from the forward pass.
    slope: the gradient of what was read.
  """
  of_totals = _from_outputs if phases[0].online else _from_blocks
  total = of_totals(phases, kept, slope)
  tensors, captured, seen, _, rows = kept
  sums = tuple(map(_nothing, tensors))
  slopes = []
  for phase, own, look in zip(phases, captured, seen, strict=True):
    inner = [_nothing(x) for x in filter(has_slope, own["read"])]
    step = _slopes(phase, own, tensors, rows, (slope, total))
    sums, inner = sweep(phase, look, step, (sums, inner))
    slopes.append({name: None for name in own} | {"read": _whole(own, inner)})
  q, k, v = (
    x.astype(like.dtype) for x, like in zip(sums, tensors, strict=True)
  )
  return (q, k, v), slopes


def _from_outputs(phases: list[Phase], kept: Kept, slope: Array) -> Array:
  """How outputs that are divided by totals depend on these, [b h t 1]."""
  rows = kept.rows
  divisor, own = phases[0].divisor.call, kept.captured[0]["divisor"]
  now = divisor(own, rows)

  def share(total: Array) -> Array:
    return now / divisor(own, rows._replace(total=total))

  back = jax.vjp(share, rows.total)[1]
  return back(jnp.sum(slope * kept.y, axis=-1, keepdims=True))[0]


def _from_blocks(phases: list[Phase], kept: Kept, slope: Array) -> Array:
  """How outputs depend on the totals, whatever is done with the weights."""
  tensors, captured, seen, _, rows = kept
  result = alike(jnp.zeros_like(rows.total), rows)
  for phase, own, look in zip(phases, captured, seen, strict=True):
    step = _slope_of_total(phase, own, tensors, rows, slope)
    result = sweep(phase, look, step, result)
  return result


def _slope_of_total(
  phase: Phase, own: Captured, tensors: Tensors, rows: Rows, slope: Array
) -> Step:
  def step(carry: Array, at: At) -> Array:
    top, total = rows_at(rows, at, phase)

    def read(total: Array) -> Array:
      given = *parts(phase, tensors, at), Rows(top, total)
      return phase.read.call(own["read"], *given, at)[0]

    more = jax.vjp(read, total)[1](rows_at(slope, at, phase))[0]
    return put(carry, rows_at(carry, at, phase) + more, at, at.row)

  return step


def _slopes(
  phase: Phase,
  own: Captured,
  tensors: Tensors,
  rows: Rows,
  slopes: tuple[Array, Array],
) -> Step:
  """Gradients of all that a block is made of, added to those before."""

  def step(
    carry: tuple[Tensors, list[Array]], at: At
  ) -> tuple[Tensors, list[Array]]:
    (q, k, v), inner = carry
    old = parts(phase, (q, k, v), at), inner

    def read(tensors: Tensors, inner: list[Array]) -> tuple[Array, Array]:
      given = *tensors, rows_at(rows, at, phase)
      return phase.read.call(_whole(own, inner, own), *given, at)

    given = parts(phase, tensors, at), [*filter(has_slope, own["read"])]
    back = along_rows(jax.vjp(read, *given)[1])
    more = back(rows_at(slopes, at, phase))
    (new_q, new_k, new_v), inner = jax.tree.map(_sum, old, more)
    q = put(q, new_q, at, at.row)
    k, v = put((k, v), (new_k, new_v), at, at.column)
    return (q, k, v), inner

  return step


def _whole(
  own: Captured, inner: list[Array], rest: Captured | None = None
) -> tuple[Array | None, ...]:
  """`inner` among all that `read` closes over; the rest, or None, beside."""
  left = iter(inner)
  return tuple(
    next(left).astype(x.dtype)
    if has_slope(x)
    else (None if rest is None else x)
    for x in own["read"]
  )


def _nothing(x: Array) -> Array:
  """Zeros to sum up gradients of `x` in: of 32 bits or more."""
  dtype = jnp.float32 if x.dtype.itemsize < 4 else x.dtype
  return alike(jnp.zeros(x.shape, dtype), x)


def _sum(total: Array, more: Array) -> Array:
  return total + more.astype(total.dtype)  # nothing promotes float8
