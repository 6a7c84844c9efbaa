"""Arrays that devices of a mesh share, or have parts of."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from research.evaluations.attention.closure import has_slope


def alike(tree: Any, *others: Any) -> Any:
  """All arrays of a tree, varying over the mesh axes of any in `others`.

  In `jax.shard_map` a value is known to be the same on all devices, or to
  vary; what loops and branches carry has to be of one kind.
  """
  leaves = jax.tree.leaves((tree, others))
  axes = frozenset().union(*map(_varying, leaves))

  def vary(x: Array) -> Array:
    more = tuple(axes - _varying(x))
    return jax.lax.pcast(x, more, to="varying") if more else x

  return jax.tree.map(vary, tree) if axes else tree


def agreed(seen: Array, *shared: Any) -> Array:
  """Bool `seen` of any device, over axes that an array in `shared` lacks.

  Its gradient is a sum over these axes, which waits for all devices: either all
  of them go where it is made, or none.
  """
  leaves = [x for x in jax.tree.leaves(shared) if has_slope(x)]
  axes = frozenset().union(*(_varying(seen) - _varying(x) for x in leaves))
  if not axes:
    return seen
  return jax.lax.pmax(seen.astype(jnp.int32), tuple(axes)) > 0


def _varying(x: Array) -> frozenset[str]:
  kind = getattr(jax.typeof(x), "manual_axis_type", None)
  return frozenset() if kind is None else kind.varying


def check_auto(what: str, *arrays: Array) -> None:
  """Refuses arrays over an explicit axis of a mesh (`jax.set_mesh`).

  Neither functions of single pairs nor sums that a loop carries have one.

  Raises:
    ValueError: names the axis, and what is allowed.
  """
  for x in arrays:
    for axis in jax.typeof(x).sharding.spec:
      if axis is not None:
        raise ValueError(
          f"{what} over the explicit mesh axis {axis!r}; allowed: an axis of "
          "AxisType.Auto, jax.shard_map, or jax.sharding.auto_axes around the "
          "call with all arrays that it reads as arguments"
        )
