"""ALiBi against the formula in float64, and slopes worked by hand."""

import jax.numpy as jnp
import numpy as np

from research.positions.alibi import ALiBi, slopes_of
from tests.positions.problem import pairs
from tests.tolerance import assert_close

EIGHT = [1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64, 1 / 128, 1 / 256]


def test_slopes_of_a_power_of_two():
  assert slopes_of(1) == (1 / 256,)
  assert slopes_of(2) == (1 / 16, 1 / 256)
  assert slopes_of(8) == (*EIGHT,)


def test_slopes_of_other_numbers():
  # Twelve heads: those of 8, then the 1st, 3rd, 5th and 7th of 16.
  root = np.sqrt(2.0)
  more = [1 / root, 1 / (2 * root), 1 / (4 * root), 1 / (8 * root)]
  np.testing.assert_allclose(slopes_of(12), EIGHT + more, rtol=1e-14)
  # Three heads: those of 2, then the 1st of 4.
  np.testing.assert_allclose(slopes_of(3), [1 / 16, 1 / 256, 1 / 4])


def test_far_keys_score_lower_on_both_sides():
  queries = np.array([[4, 9], [0, 30]])
  keys = np.array([[0, 4, 9, 11], [2, 3, 30, 31]])
  q, k = jnp.zeros((2, 2, 3, 4)), jnp.zeros((2, 4, 3, 4))
  bias = ALiBi().apply({}, q, k, pairs(queries, keys), method="bias")
  distance = np.abs(queries[:, :, None] - keys[:, None, :]).astype(np.float64)
  slopes = np.array([1 / 16, 1 / 256, 1 / 4])
  wanted = -slopes[None, :, None, None] * distance[:, None]
  assert_close(bias, wanted, level="core")
  assert bias[0, 0, 0].tolist() == [-0.25, 0.0, -0.3125, -0.4375]
