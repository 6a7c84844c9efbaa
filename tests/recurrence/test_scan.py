"""The products within a step, and the dtypes of a recurrence."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.evaluations.recurrence import empty, recur
from research.places import Places, whole
from research.recurrence.elman import Elman
from research.recurrence.gru import GRU
from research.recurrence.lstm import LSTM
from research.recurrence.scan import Kernel, multiply

X = np.random.default_rng(4).normal(size=(3, 8, 3))
SEGMENTS = jnp.ones(X.shape[:2], jnp.int32)


@pytest.mark.parametrize("layer", [LSTM(), GRU(), Elman()])
def test_the_state_is_float32_under_bfloat16(layer):
  x = jnp.asarray(X, jnp.bfloat16)
  where = Places(jnp.zeros_like(SEGMENTS), SEGMENTS)
  variables = layer.init(jax.random.key(0), x, where)
  y, new = layer.apply(variables, x, where, mutable=["cache"])
  assert y.dtype == jnp.bfloat16
  assert new["cache"].pop("segment").dtype == jnp.int32
  state = jax.tree.leaves(new["cache"])
  assert state and {leaf.dtype for leaf in state} == {jnp.dtype("float32")}
  # Not one of them fits into bfloat16: nothing was rounded on the way.
  for leaf in state:
    assert (leaf != leaf.astype(jnp.bfloat16).astype(jnp.float32)).mean() > 0.5


def test_products_are_made_in_bfloat16_and_summed_in_float32():
  # There 1.001 is rounded to 1, while 301 is no number of bfloat16.
  x, kernel = jnp.ones((1, 301), jnp.bfloat16), jnp.full((301, 1), 1.001)
  product = multiply(x, [kernel, kernel])
  assert product.dtype == jnp.float32
  np.testing.assert_array_equal(product, np.full((1, 2), 301.0))


def test_gradients_of_kernels_are_summed_in_float32():
  class Product(nn.Module):
    @nn.compact
    def __call__(self, x: Any, segments: Any) -> Any:
      kernels = Kernel(2, 1, name="input")(x.shape[-1])

      def step(state: Any, x: Any) -> Any:
        return {"hidden": multiply(x, kernels)}

      return recur(step, empty(1, {"hidden": 2}), x, segments)[0]

  # Ones, more than the 256 at which a sum of ones stops in bfloat16.
  x, segments = jnp.ones((1, 600, 1), jnp.bfloat16), jnp.ones((1, 600), int)
  variables = Product().init(jax.random.key(0), x, segments)

  @jax.grad
  def slope(variables: Any) -> Any:
    return Product().apply(variables, x, segments).astype(jnp.float32).sum()

  kernel = slope(variables)["params"]["input"]["kernel"]
  np.testing.assert_array_equal(kernel, np.full((1, 2), 600.0))


def kept_units(layer: Any, length: int) -> float:
  """Numbers a unit that a step more keeps for the backward pass."""
  width = 32

  def size(length: int) -> int:
    x = jnp.ones((1, length, width))
    places = Places(*2 * [jnp.ones((1, length), jnp.int32)])
    variables = layer.init(jax.random.key(0), x[:, :1], whole(x[:, :1]))

    def loss(variables: Any, x: Any) -> Any:
      return jnp.sum(layer.apply(variables, x, places))

    program = jax.jit(jax.grad(loss)).lower(variables, x).compile()
    return program.memory_analysis().temp_size_in_bytes

  return (size(2 * length) - size(length)) / (4 * width * length)


@pytest.mark.parametrize(
  ("layer", "numbers"), [(LSTM(), 4 + 2), (GRU(), 4 + 1), (Elman(), 1 + 1)]
)
def test_a_step_keeps_its_gates_and_its_state(layer, numbers):
  # Beside these, the input in the order of the loop, and the output's slope.
  assert numbers < kept_units(layer, 256) <= numbers + 2.25
