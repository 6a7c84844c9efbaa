"""The learned table: what lies outside of it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.positions.learned import LearnedPosition


@pytest.mark.parametrize("outside", [-1, 4, 1000])
def test_the_table_never_clamps(outside):
  encoding = LearnedPosition(length=4)
  assert encoding.reach == 4
  x = jnp.zeros((2, 3, 2))
  inside = jnp.array([[0, 1, 3], [0, 2, 3]])
  variables = encoding.init(jax.random.key(0), x, inside)
  wanted = encoding.apply(variables, x, inside)
  table = np.asarray(variables["params"]["table"])
  np.testing.assert_array_equal(wanted, table[np.asarray(inside)])
  y = encoding.apply(variables, x, inside.at[1, 1].set(outside))
  assert np.isnan(y[1, 1]).all()
  np.testing.assert_array_equal(y.at[1, 1].set(wanted[1, 1]), wanted)


def test_refused():
  with pytest.raises(ValueError, match="length = 0; allowed: 1 or more"):
    LearnedPosition(length=0)
