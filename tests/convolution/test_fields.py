"""The declared receptive fields, measured by gradients on a longer row."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.convolution.base import Filtering
from research.convolution.plain import Convolution
from research.places import whole
from tests.convolution.cases import CASES
from tests.tolerance import bound

LENGTH, WIDTH = 27, 8
ZERO = bound(np.float32, "core", LENGTH, gradient=True)
"""A slope below this share of the largest one is rounding (FFT has some)."""
X = jnp.asarray(
  np.random.default_rng(3).normal(size=(1, LENGTH, WIDTH)), jnp.float32
)
MIXERS = {
  **{
    name: case.mixer
    for name, case in CASES.items()
    if isinstance(case.mixer, Filtering)
  },
  "dilated_centred": Convolution(kernel_size=5, dilation=3, centred=True),
}


@pytest.mark.parametrize("name", MIXERS)
def test_an_output_sees_its_field_and_no_more(name):
  mixer = MIXERS[name]
  parameters = jax.jit(mixer.init)(jax.random.key(0), X, whole(X))
  # The authors' filters begin near zero.
  parameters = jax.tree.map(lambda leaf: leaf + 0.1, parameters)
  middle = LENGTH // 2

  @jax.jit
  def slopes(x: jax.Array) -> jax.Array:
    def outputs(x: jax.Array) -> jax.Array:
      y = mixer.apply(parameters, x, whole(x))
      # The last, the first and the one in the middle, each on its own.
      weights = jnp.cos(jnp.arange(WIDTH, dtype=jnp.float32))
      return y[0, jnp.array([0, middle, LENGTH - 1])] @ weights

    return jax.jacrev(outputs)(x)[:, 0]

  seen = np.abs(slopes(X)).max(axis=-1)
  seen = seen / seen.max() > ZERO
  before, after = mixer.receptive_field(LENGTH)
  for row, t in zip(seen, (0, middle, LENGTH - 1), strict=True):
    reached = np.flatnonzero(row)
    assert reached.min() == max(t - before, 0)
    assert reached.max() == min(t + after, LENGTH - 1)
  assert (after == 0) == mixer.causal


def test_a_field_ends_with_the_sequence():
  mixer = Convolution(kernel_size=5, dilation=3, centred=True)
  assert mixer.receptive_field(27) == (6, 6)
  assert mixer.receptive_field(4) == (3, 3)
  assert Convolution(dilation=4).receptive_field(100) == (8, 0)
  assert CASES["short"].mixer.receptive_field(2) == (1, 0)
  assert CASES["hyena"].mixer.receptive_field(100) == (99, 0)
