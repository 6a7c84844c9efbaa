"""Going through all blocks, one after another."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from research.evaluations.attention.block import At
from research.evaluations.attention.closure import Hoisted
from research.evaluations.attention.mesh import agreed

Tensors = tuple[Array, Array, Array]
"""Queries [b h t k], keys [b g s k] and values [b g s v], heads first."""

Captured = dict[str, tuple[Array, ...]]
"""What the functions of a phase close over, by their names."""

Seen = Array | None
"""Bool[n], the blocks of a phase in which somebody may look at somebody."""

Step = Callable[[Any, At], Any]
"""(carry, at) → carry: the work on one block."""


class Phase(NamedTuple):
  """Blocks [n 3] that are computed alike, and the functions of one.

  A block is of some queries and keys, and of all heads or of one of `groups`.

  What a function closes over is an argument of it: `read` and `seen` are those
  of `Block`, `divisor` that of the normaliser. `forward` is `Block.online`
  where blocks are put together as they come, `Block.rows` where not. `seen` is
  None where data forbids nothing.
  """

  blocks: np.ndarray
  size: tuple[int, int]
  groups: int
  online: bool
  forward: Hoisted
  read: Hoisted
  divisor: Hoisted
  seen: Hoisted | None


def asked(phase: Phase, own: Captured, tensors: Tensors) -> Seen:
  """In which blocks data lets anybody look at anybody; None if in all."""
  if phase.seen is None:
    return None
  call, captured = phase.seen.call, jax.lax.stop_gradient(own["seen"])

  def one(block: Array) -> Array:
    found: Array = call(captured, At(*block))
    return found

  seen = jax.lax.map(one, jnp.asarray(phase.blocks))
  return _in_any(agreed(seen, tensors, own["read"]))


@jax.custom_batching.custom_vmap
def _in_any(seen: Array) -> Array:
  """The same for all members of a `vmap`, so that it can skip blocks, too."""
  return seen


@_in_any.def_vmap
def _(size: int, batched: list[bool], seen: Array) -> tuple[Array, bool]:
  return _in_any(jnp.any(seen, axis=0)), False


def sweep(phase: Phase, seen: Seen, step: Step, carry: Any) -> Any:
  """The blocks of a phase that are seen, one after another."""

  def one(carry: Any, block: tuple[Array, Seen]) -> tuple[Any, None]:
    at, look = block

    def work(carry: Any) -> Any:
      return step(carry, At(*at))

    if look is None:
      return work(carry), None
    return jax.lax.cond(look, work, lambda carry: carry, carry), None

  return jax.lax.scan(one, carry, (jnp.asarray(phase.blocks), seen))[0]


def parts(phase: Phase, tensors: Tensors, at: At) -> Tensors:
  """The queries of a block, its keys and its values."""
  q, k, v = tensors
  return rows_at(q, at, phase), *columns_at((k, v), at, phase)


def rows_at(tree: Any, at: At, phase: Phase) -> Any:
  """The rows of a block, of all arrays."""
  return _sliced(tree, at.group, at.row, phase.groups, phase.size[0])


def columns_at(tree: Any, at: At, phase: Phase) -> Any:
  """Its columns likewise."""
  return _sliced(tree, at.group, at.column, phase.groups, phase.size[1])


def _sliced(
  tree: Any, group: Array, number: Array, groups: int, size: int
) -> Any:
  zero = jnp.zeros_like(number)

  def one(x: Array) -> Array:
    sizes = x.shape[0], x.shape[1] // groups, size, x.shape[3]
    start = zero, group * sizes[1], number * size, zero
    return jax.lax.dynamic_slice(x, start, sizes)

  return jax.tree.map(one, tree)


def put(tree: Any, new: Any, at: At, number: Array) -> Any:
  """`tree` with slice `number` replaced, in the heads of a block."""
  zero = jnp.zeros_like(number)

  def one(x: Array, y: Array) -> Array:
    start = zero, at.group * y.shape[1], number * y.shape[2], zero
    return jax.lax.dynamic_update_slice(x, y, start)

  return jax.tree.map(one, tree, new)
