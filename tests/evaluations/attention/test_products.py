"""Products of derivatives: the same numbers, in the order that is fast."""

import re
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core.primitives import dot_general_p

from research.evaluations.attention.attend import attention
from research.evaluations.attention.products import SHARED, along_rows

WIDE = SHARED // 128
CASES = {
  "the first factor is larger": ("bts,btd->bsd", (2, 128, WIDE), (2, 128, 3)),
  "the first factor is smaller": ("btd,bts->bds", (2, 128, 3), (2, 128, WIDE)),
  "without a batch": ("ts,td->sd", (128, WIDE), (128, 3)),
  "the second is read by columns": (
    "bts,bdt->bsd",
    (2, 128, WIDE),
    (2, 3, 128),
  ),
  "along rows already": ("bts,bsd->btd", (2, 128, WIDE), (2, WIDE, 3)),
  "small": ("bts,btd->bsd", (2, 5, 4), (2, 5, 3)),
  "over two axes": ("btus,btud->bsd", (2, 8, 16, WIDE), (2, 8, 16, 3)),
  "other batches": ("bts,tbd->bsd", (2, 128, WIDE), (128, 2, 3)),
}
TURNED = [
  "the first factor is larger",
  "the first factor is smaller",
  "without a batch",
  "the second is read by columns",
]


def arrays(*shapes: tuple[int, ...]) -> list[jax.Array]:
  draw = np.random.default_rng(0)
  return [jnp.asarray(draw.normal(size=s), jnp.float32) for s in shapes]


def product(form: str) -> Any:
  """A product inside of a function that is jitted."""
  return jax.jit(lambda x, y: {"product": jnp.einsum(form, x, y)})


def first_factors(
  function: Any, *given: Any
) -> list[tuple[tuple[int, ...], bool]]:
  """Of the products: the shape of the first, and whether it is read by rows."""
  found = []
  for equation in jax.make_jaxpr(function)(*given).eqns:
    if equation.primitive is dot_general_p:
      (over, _), _ = equation.params["dimension_numbers"]
      shape = equation.invars[0].aval.shape
      found.append((shape, over == (len(shape) - 1,)))
  return found


@pytest.mark.parametrize("name", CASES)
def test_the_numbers_are_the_same(name):
  form, *shapes = CASES[name]
  given = arrays(*shapes)
  found = along_rows(product(form))(*given)["product"]
  np.testing.assert_allclose(
    found, np.einsum(form, *given), rtol=1e-4, atol=1e-4
  )


@pytest.mark.parametrize("name", TURNED)
def test_large_products_read_their_smaller_factors_along_rows(name):
  form, *shapes = CASES[name]
  given = arrays(*shapes)
  function = along_rows(product(form))
  smaller = min(shapes, key=np.prod)
  [(shape, by_rows)] = first_factors(function, *given)
  assert by_rows and sorted(shape) == sorted(smaller)


@pytest.mark.parametrize("name", ["small", "over two axes", "other batches"])
def test_other_products_stay_as_they_are(name):
  form, *shapes = CASES[name]
  run, given = product(form), arrays(*shapes)
  [(_, by_rows)] = first_factors(along_rows(run), *given)
  assert not by_rows


def test_the_compiler_leaves_those_of_gradients_as_they_are():
  def loss(q: Any, k: Any, v: Any) -> Any:
    return jnp.sum(attention(q, k, v, evaluation="blockwise") ** 2)

  given = arrays(*[(1, 512, 2, 8)] * 3)
  compiled = jax.jit(jax.grad(loss, (0, 1, 2))).lower(*given).compile()
  over = re.findall(r" dot\(.*lhs_contracting_dims={(.)}", compiled.as_text())
  assert len(over) >= 7 and set(over) == {"2"}  # of heads, rows and columns


def test_each_factor_keeps_its_precision():
  form, *shapes = CASES["the first factor is larger"]

  def function(x: Any, y: Any) -> Any:
    return jnp.einsum(form, x, y, precision=("highest", "default"))

  [(_, by_rows)] = first_factors(along_rows(function), *arrays(*shapes))
  assert not by_rows


def test_scopes_are_kept():
  """As a profile shows them."""

  @along_rows
  def function(x: Any) -> Any:
    with jax.named_scope("mine"):
      return jnp.sin(x)

  lowered = jax.jit(function).lower(1.0)
  assert "mine/sin" in lowered.as_text(debug_info=True)


def test_products_over_a_batch_without_a_number(unchecked):
  """A size that is not known is no large one."""
  (b,) = jax.export.symbolic_shape("b")

  def loss(w: Any, q: Any, table: Any) -> Any:
    def shift(score: Any, i: Any, *_: Any) -> Any:
      return score + jnp.sum(table[i] @ w)

    y = attention(q, q, q, score_mod=shift, evaluation="blockwise")
    return jnp.sum(jnp.sin(y))

  given = arrays((3, 4), (2, 70, 2, 8), (2, 3))
  free = [
    jax.ShapeDtypeStruct(shape, jnp.float32)
    for shape in ((3, 4), (b, 70, 2, 8), (b, 3))
  ]
  slope = jax.jit(jax.grad(loss))
  found = jax.export.export(slope)(*free).call(*given)
  np.testing.assert_allclose(found, slope(*given), rtol=1e-4, atol=1e-4)


def test_on_other_devices_nothing_changes(monkeypatch):
  monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
  assert along_rows(arrays) is arrays


@pytest.mark.parametrize("members", [None, 2])
def test_what_is_inside_keeps_its_own_derivative(members):
  """A rule of one's own, a loop and a choice are left alone."""

  @jax.custom_jvp
  def bent(x: Any) -> Any:
    return jnp.sin(x)

  bent.defjvp(lambda x, dx: (bent(x[0]), 3.0 * dx[0]))

  def function(x: Any, y: Any) -> Any:
    z = bent(jnp.einsum("ts,td->sd", x, y))
    z = jax.lax.cond(z[0, 0] > 9.0, jnp.cos, lambda z: 2.0 * z, z)
    return jax.lax.fori_loop(0, 2, lambda i, z: z + 1.0, z)

  shapes = (128, WIDE), (128, 3)
  runs = along_rows(function), function
  if members:
    shapes = tuple((members, *shape) for shape in shapes)
    runs = tuple(map(jax.vmap, runs))
  given = tuple(arrays(*shapes))
  mine, wanted = (jax.jvp(run, given, given) for run in runs)
  for one, other in zip(mine, wanted, strict=True):
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-3)
