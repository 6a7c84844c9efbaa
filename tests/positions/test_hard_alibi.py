"""Hard-ALiBi against its rule, written with loops."""

import jax.numpy as jnp
import numpy as np
import pytest

from research.normalizers.softmax import Softmax
from research.positions.hard_alibi import HardALiBi
from tests.positions.problem import pairs

QUERIES = np.array([[4, 9], [0, 30]])
KEYS = np.array([[0, 3, 4, 9, 11], [2, 3, 5, 29, 30]])


def bias_of(encoding: HardALiBi, heads: int) -> np.ndarray:
  q, k = jnp.zeros((2, 2, heads, 4)), jnp.zeros((2, 5, heads, 4))
  where = pairs(QUERIES, KEYS)
  return np.asarray(encoding.apply({}, q, k, where, method="bias"))


@pytest.mark.parametrize(
  "windows, heads, wanted",
  [
    ((), 4, [1, 2, None, None]),
    ((), 5, [1, 2, None, None, None]),
    ((6,), 3, [6, None, None]),
    ((3, 1), 2, [3, 1]),
  ],
)
def test_windows_end_hard(windows, heads, wanted):
  bias = bias_of(HardALiBi(windows), heads)
  for b, h, t, s in np.ndindex(bias.shape):
    distance = abs(int(QUERIES[b, t]) - int(KEYS[b, s]))
    seen = wanted[h] is None or distance < wanted[h]
    assert bias[b, h, t, s] == (0.0 if seen else -np.inf)


def test_forbidden_keys_have_no_weight():
  bias = jnp.asarray(bias_of(HardALiBi(), 2))
  weights = Softmax().apply({}, bias, jnp.ones((2, 1, 2, 5), bool))
  # The first head sees its own position only: key 2 or 3, nobody, key 4.
  np.testing.assert_array_equal(
    weights[:, 0],
    [[[0, 0, 1, 0, 0], [0, 0, 0, 1, 0]], [[0, 0, 0, 0, 0], [0, 0, 0, 0, 1]]],
  )
  np.testing.assert_allclose(weights[:, 1], 0.2, rtol=1e-6)


def test_refused():
  with pytest.raises(ValueError, match=r"windows = \(2, 0\); allowed: 1 or"):
    HardALiBi((2, 0))
  with pytest.raises(ValueError, match="with heads = 1; allowed: .* 2 heads"):
    bias_of(HardALiBi(), 1)
  with pytest.raises(ValueError, match=r"\(1, 2, 3\) with heads = 2; allowed"):
    bias_of(HardALiBi((1, 2, 3)), 2)
