"""Functions that close over arrays, made functions of these arrays."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.extend.core
import jax.numpy as jnp
from jaxtyping import Array


class Hoisted(NamedTuple):
  """A function whose captured arrays are arguments.

  Attributes:
    call: (captured, *arguments) → what the function gives.
    captured: the arrays that it closed over; tracers, too.
    shapes: of what it gives.
  """

  call: Callable[..., Any]
  captured: tuple[Array, ...]
  shapes: Any


def hoist(function: Callable[..., Any], *examples: Any) -> Hoisted:
  """`function`, for arguments of the shapes of `examples`.

  A custom derivative cannot see what its function closes over, and has no
  gradient for it. As arguments these arrays have one.
  """
  closed, shapes = jax.make_jaxpr(function, return_shape=True)(*examples)
  tree = jax.tree.structure(shapes)

  def call(captured: tuple[Array, ...], *arguments: Any) -> Any:
    whole = jax.extend.core.ClosedJaxpr(closed.jaxpr, captured)
    leaves = jax.tree.leaves(arguments)
    results = jax.extend.core.jaxpr_as_fun(whole)(*leaves)
    return jax.tree.unflatten(tree, results)

  return Hoisted(call, tuple(map(jnp.asarray, closed.consts)), shapes)


def has_slope(x: Array) -> bool:
  """Whether it is of a kind of numbers that has a gradient."""
  return bool(jnp.issubdtype(x.dtype, jnp.inexact))
