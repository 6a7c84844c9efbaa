"""Products with their factors as a compiler makes them fastest."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, jaxpr_as_fun
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
    results = _results(jaxpr, equation, [*map(value, equation.invars)])
    known.update(zip(equation.outvars, results, strict=True))
  return [*map(value, jaxpr.outvars)]


def _results(jaxpr: Jaxpr, equation: JaxprEqn, given: list[Any]) -> list[Any]:
  if equation.primitive is dot_general_p and _slow(*given, **equation.params):
    return [_product(*given, **equation.params)]
  if equation.primitive is jit_p:
    return _evaluated(equation.params["jaxpr"], given)
  own = {
    name: x
    for name, x in zip(equation.invars, given, strict=True)
    if not isinstance(name, Literal)
  }
  alone = jaxpr.replace(
    constvars=[], invars=[*own], outvars=equation.outvars, eqns=[equation]
  )
  return [*jaxpr_as_fun(ClosedJaxpr(alone, []))(*own.values())]


def _slow(
  x: Array, y: Array, *, dimension_numbers: Any, precision: Any, **_: Any
) -> bool:
  """Whether large matrices are multiplied, the first summed over its rows."""
  (over, _), batches = dimension_numbers
  rows = x.ndim - 2
  leading = tuple(range(rows))
  if over != (rows,) or batches != (leading, leading) or y.ndim != x.ndim:
    return False
  sides = x.shape[rows:] + y.shape[rows:]
  if not all(isinstance(side, int) for side in sides):  # `jax.export`
    return False
  if isinstance(precision, tuple) and precision[0] != precision[1]:
    return False  # each is of its own factor
  return max(math.prod(sides[:2]), math.prod(sides[2:])) >= SHARED


def _product(
  x: Array, y: Array, *, dimension_numbers: Any, **options: Any
) -> Array:
  """x · y; the smaller factor comes first, and is read along its rows."""
  (over_x, over_y), batches = dimension_numbers
  turned = math.prod(x.shape[-2:]) > math.prod(y.shape[-2:])
  if turned:
    x, y, over_x, over_y = y, x, over_y, over_x
  if over_x == (x.ndim - 2,):
    x = jnp.matrix_transpose(x)
  numbers = ((x.ndim - 1,), over_y), batches
  product = dot_general_p.bind(x, y, dimension_numbers=numbers, **options)
  return jnp.matrix_transpose(product) if turned else product
