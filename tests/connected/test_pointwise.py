"""The baseline that knows no context."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.connected.pointwise import Pointwise
from research.places import whole
from tests.tolerance import assert_close

B, T, D = 2, 5, 4
X = jnp.asarray(np.random.default_rng(3).normal(size=(B, T, D)), jnp.float32)


@pytest.mark.parametrize("activation", ["relu", "gelu", "silu"])
def test_equal_tokens_get_equal_outputs(activation):
  mixer = Pointwise(activation=activation)
  x = X.at[0, 3].set(X[0, 1]).at[1, 4].set(X[0, 1])
  variables = mixer.init(jax.random.key(0), x, whole(x))
  y = np.asarray(mixer.apply(variables, x, whole(x)))
  np.testing.assert_array_equal(y[0, 3], y[0, 1])
  np.testing.assert_array_equal(y[1, 4], y[0, 1])
  assert (y[0, 2] != y[0, 1]).any()


def test_without_expansion_it_is_one_linear_map():
  mixer = Pointwise(expansion=0)
  variables = mixer.init(jax.random.key(0), X, whole(X))
  assert set(variables["params"]) == {"out"}
  y = mixer.apply(variables, X, whole(X))
  kernel = np.asarray(variables["params"]["out"]["kernel"], np.float64)
  assert_close(y, np.asarray(X, np.float64) @ kernel, level="module")


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ({"expansion": -1}, "expansion = -1; allowed: 0 or more"),
    ({"activation": "tanh"}, "activation = 'tanh'; allowed: .*'gelu'"),
  ],
)
def test_what_does_not_fit_is_refused(fields, message):
  with pytest.raises(ValueError, match=message):
    Pointwise(**fields)
