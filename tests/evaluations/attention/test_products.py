"""Products of blocks are those of the scores; their gradients, too."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.attention.layer import Attention
from research.evaluations.attention.products import in_blocks, reversible
from research.places import whole
from research.scores.additive import Additive
from research.scores.base import products
from research.scores.scaled import ScaledDotProduct


def given(dtype=jnp.float32):
  """Queries, keys and the slope of the scores; more queries than keys."""
  keys = jax.random.split(jax.random.key(0), 3)
  shapes = (2, 12, 3, 4), (2, 5, 3, 4), (2, 3, 12, 5)
  q, k, slope = map(jax.random.normal, keys, shapes)
  return q.astype(dtype), k.astype(dtype), slope


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_gradients_are_those_of_products(dtype):
  q, k, slope = given(dtype)
  y, back = jax.vjp(reversible, q, k)
  wanted, theirs = jax.vjp(products, q, k)
  np.testing.assert_array_equal(y, wanted)
  assert y.dtype == jnp.float32
  for mine, other in zip(back(slope), theirs(slope), strict=True):
    assert mine.dtype == other.dtype == dtype
    mine, other = mine.astype(jnp.float32), other.astype(jnp.float32)
    np.testing.assert_allclose(mine, other, rtol=1e-6, atol=1e-6)


def test_second_derivatives_are_those_of_products():
  q, k, slope = given()

  def slopes(function):
    def loss(q, k):
      return jnp.sum(slope * jnp.tanh(function(q, k)))

    def norm(q, k):
      return sum(jnp.sum(x**2) for x in jax.grad(loss, (0, 1))(q, k))

    return jax.grad(norm, (0, 1))(q, k)

  for mine, other in zip(slopes(reversible), slopes(products), strict=True):
    np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-5)


def test_no_map_is_read_along_its_columns():
  """What `reversible` is there for; `products` does read one so."""
  q, k, slope = given()

  def columns(function):
    program = jax.make_jaxpr(lambda q, k: jax.vjp(function, q, k)[1](slope))
    firsts = [
      equation.invars[0].aval.shape
      for equation in _dots(program(q, k).jaxpr)
      if equation.params["dimension_numbers"][0][0] != (3,)
    ]
    return [shape for shape in firsts if shape == slope.shape]

  assert columns(products) and not columns(reversible)


def _dots(jaxpr):
  """All products of a program, those of inner programs, too."""
  for equation in jaxpr.eqns:
    if equation.primitive.name == "dot_general":
      yield equation
    for inner in jax.tree.leaves(list(equation.params.values())):
      if hasattr(inner, "jaxpr"):
        yield from _dots(inner.jaxpr)


class Bent(ScaledDotProduct):
  """No scaled product any more, though it inherits the scale of one."""

  def __call__(self, q, k):
    return jnp.tanh(super().__call__(q, k))


def test_a_score_with_a_call_of_its_own_is_called():
  q, k, _ = given()
  layers = {
    form: Attention(heads=2, score=Bent(), evaluation=form)
    for form in ("dense", "blockwise")
  }
  x = jax.random.normal(jax.random.key(1), (1, 9, 8))
  places = whole(x)
  variables = layers["dense"].init(jax.random.key(2), x, places)
  dense, blockwise = (
    layer.apply(variables, x, places) for layer in layers.values()
  )
  np.testing.assert_allclose(blockwise, dense, rtol=1e-5, atol=1e-6)
  with pytest.raises(ValueError, match="score = Bent"):
    layer = Attention(heads=2, score=Bent(), evaluation="library")
    layer.init(jax.random.key(2), x, places)


def test_scores_that_are_no_scaled_product_stay_as_they_are():
  score = Additive()
  assert in_blocks(score, 4) is score
  q, k, _ = given()
  scaled = in_blocks(ScaledDotProduct(), 4)(q, k)
  np.testing.assert_array_equal(scaled, ScaledDotProduct()(q, k))
