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

Step = Callable[[Any, Array, Array], Any]
"""(carry, i, j) → carry: the work on block (i, j)."""


class Phase(NamedTuple):
  """Blocks [n 2] that are computed alike, and the functions of one.

  What a function closes over is an argument of it: `read` and `seen` are those
  of `Block`, `divisor` that of the normaliser. `forward` is `Block.online`
  where blocks are put together as they come, `Block.rows` where not.
  """

  blocks: np.ndarray
  size: tuple[int, int]
  online: bool
  forward: Hoisted
  read: Hoisted
  divisor: Hoisted
  seen: Hoisted


def sweep(phase: Phase, step: Step, carry: Any) -> Any:
  """The blocks of a phase, one after another."""

  def one(carry: Any, block: Array) -> tuple[Any, None]:
    return step(carry, block[0], block[1]), None

  return jax.lax.scan(one, carry, jnp.asarray(phase.blocks))[0]


def if_seen(
  phase: Phase,
  own: Captured,
  block: tuple[Array, Array],
  work: Callable[[], Any],
  old: Any,
) -> Any:
  """`work()`, or `old` where nobody in the block may look at anybody.

  What data forbids is known only here; under `vmap` both are computed.
  """
  seen = phase.seen.call(own["seen"], *block)
  return jax.lax.cond(seen, work, lambda: old)


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
