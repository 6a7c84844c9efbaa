"""Going through all blocks, one after another."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from research.evaluations.attention.block import sliced
from research.evaluations.attention.closure import Hoisted

Tensors = tuple[Array, Array, Array]
"""Queries [b h t k], keys [b g s k] and values [b g s v], heads first."""

Captured = dict[str, tuple[Array, ...]]
"""What the functions of a phase close over, by their names."""

Seen = Array | None
"""Bool[n], the blocks of a phase in which somebody may look at somebody."""

Step = Callable[[Any, Array, Array], Any]
"""(carry, i, j) → carry: the work on block (i, j)."""


class Phase(NamedTuple):
  """Blocks [n 2] that are computed alike, and the functions of one.

  What a function closes over is an argument of it: `read` and `seen` are those
  of `Block`, `divisor` that of the normaliser. `forward` is `Block.online`
  where blocks are put together as they come, `Block.rows` where not. `seen` is
  None where data forbids nothing.
  """

  blocks: np.ndarray
  size: tuple[int, int]
  online: bool
  forward: Hoisted
  read: Hoisted
  divisor: Hoisted
  seen: Hoisted | None


def asked(phase: Phase, own: Captured) -> Seen:
  """In which blocks data lets anybody look at anybody; None if in all."""
  if phase.seen is None:
    return None
  call, captured = phase.seen.call, jax.lax.stop_gradient(own["seen"])

  def one(block: Array) -> Array:
    found: Array = call(captured, block[0], block[1])
    return found

  return _in_any(jax.lax.map(one, jnp.asarray(phase.blocks)))


@jax.custom_batching.custom_vmap
def _in_any(seen: Array) -> Array:
  """The same for all members of a `vmap`, so that it can skip blocks, too."""
  return seen


@_in_any.def_vmap
def _(size: int, batched: list[bool], seen: Array) -> tuple[Array, bool]:
  return jnp.any(seen, axis=0), False


def sweep(phase: Phase, seen: Seen, step: Step, carry: Any) -> Any:
  """The blocks of a phase that are seen, one after another."""

  def one(carry: Any, block: tuple[Array, Seen]) -> tuple[Any, None]:
    (i, j), look = block

    def work(carry: Any) -> Any:
      return step(carry, i, j)

    if look is None:
      return work(carry), None
    return jax.lax.cond(look, work, lambda carry: carry, carry), None

  return jax.lax.scan(one, carry, (jnp.asarray(phase.blocks), seen))[0]


def parts(phase: Phase, tensors: Tensors, i: Array, j: Array) -> Tensors:
  """Queries of row i, keys and values of column j."""
  q, k, v = tensors
  k, v = sliced((k, v), j, phase.size[1], 2)
  return sliced(q, i, phase.size[0], 2), k, v


def rows_at(tree: Any, i: Array, phase: Phase) -> Any:
  """Row i of all arrays."""
  return sliced(tree, i, phase.size[0], 2)


def put(tree: Any, new: Any, number: Array, phase: Phase, side: int = 0) -> Any:
  """`tree` with slice `number` replaced."""
  start = number * phase.size[side]
  return jax.tree.map(
    lambda x, y: jax.lax.dynamic_update_slice_in_dim(x, y, start, 2), tree, new
  )
