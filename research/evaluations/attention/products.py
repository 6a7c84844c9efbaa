"""Products with their factors as a compiler makes them fastest."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, JaxprEqn, Literal
from jax.extend.core.primitives import dot_general_p, jit_p
from jaxtyping import Array

SHARED = 2**17
"""From matrices of so many numbers on two cores were seen to share a product
(XLA's YNNPACK), however many matrices there are."""


def along_rows(function: Callable[..., Any]) -> Callable[..., Any]:
  """The same function; large products read their first factors along rows.

  Derivatives have products whose first factor is summed over its rows. XLA is
  slow at these on a CPU, if two cores could share them. Elsewhere nothing was
  measured, and the function stays as it is.

  Args:
    function: of trees of arrays, to trees of arrays.
  """
  if jax.default_backend() != "cpu":
    return function

  def call(*given: Any) -> Any:
    closed, shapes = jax.make_jaxpr(function, return_shape=True)(*given)
    results = _evaluated(closed, jax.tree.leaves(given))
    return jax.tree.unflatten(jax.tree.structure(shapes), results)

  return call


def _evaluated(closed: ClosedJaxpr, given: list[Any]) -> list[Any]:
  jaxpr = closed.jaxpr
  names = [*jaxpr.constvars, *jaxpr.invars]
  known = dict(zip(names, [*closed.consts, *given], strict=True))

  def value(x: Any) -> Any:
    return x.val if isinstance(x, Literal) else known[x]

  for equation in jaxpr.eqns:
    results = _results(equation, [*map(value, equation.invars)])
    known.update(zip(equation.outvars, results, strict=True))
  return [*map(value, jaxpr.outvars)]


def _results(equation: JaxprEqn, given: list[Any]) -> list[Any]:
  primitive, params = equation.primitive, equation.params
  if primitive is jit_p:
    return _evaluated(params["jaxpr"], given)
  if primitive is dot_general_p and _slow(*given, **params):
    return [_product(*given, **params)]
  results = primitive.bind(*given, **primitive.get_bind_params(params))
  return results if primitive.multiple_results else [results]


def _slow(x: Array, y: Array, *, dimension_numbers: Any, **_: Any) -> bool:
  """Whether large matrices are multiplied, the first summed over its rows."""
  (over, _), batches = dimension_numbers
  rows = x.ndim - 2
  leading = tuple(range(rows))
  if over != (rows,) or batches != (leading, leading) or y.ndim != x.ndim:
    return False
  return max(math.prod(x.shape[rows:]), math.prod(y.shape[rows:])) >= SHARED


def _product(
  x: Array, y: Array, *, dimension_numbers: Any, **options: Any
) -> Array:
  """x · y; the smaller factor comes first, with its rows as its columns."""
  (over_x, over_y), batches = dimension_numbers
  turned = x.size > y.size
  if turned:
    x, y, over_x, over_y = y, x, over_y, over_x
  if over_x == (x.ndim - 2,):
    x = jnp.matrix_transpose(x)
  numbers = ((x.ndim - 1,), over_y), batches
  product = dot_general_p.bind(x, y, dimension_numbers=numbers, **options)
  return jnp.matrix_transpose(product) if turned else product
