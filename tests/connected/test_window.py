"""The baseline over a window: what it sees, and what it costs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.connected.window import WindowConnected
from research.places import Places, whole
from tests.tolerance import assert_close

B, T, D = 1, 7, 3
X = jnp.asarray(np.random.default_rng(3).normal(size=(B, T, D)), jnp.float32)
SEGMENTS = jnp.array([[1, 1, 1, 1, 2, 2, 0]])


def test_it_sees_its_window_within_the_segment():
  mixer = WindowConnected(before=2, after=1)
  places = Places(whole(X).positions, SEGMENTS)
  variables = mixer.init(jax.random.key(0), X, places)
  slopes = jax.jit(jax.jacobian(lambda x: mixer.apply(variables, x, places)))(X)
  sees = np.abs(slopes).sum(axis=(0, 2, 3, 5)) > 0
  wanted = np.zeros((T, T), bool)
  for t in range(6):
    for s in range(max(t - 2, 0), t + 2):
      wanted[t, s] = SEGMENTS[0, s] == SEGMENTS[0, t]
  np.testing.assert_array_equal(sees, wanted)


def test_it_is_its_formula():
  mixer = WindowConnected(before=1, after=1, expansion=2, activation="relu")
  variables = mixer.init(jax.random.key(0), X, whole(X))
  given = jax.tree.map(
    lambda leaf: np.asarray(leaf, np.float64), variables["params"]
  )
  padded = np.pad(np.asarray(X, np.float64)[0], ((1, 1), (0, 0)))
  seen = np.stack([padded[t : t + 3].reshape(-1) for t in range(T)])
  hidden = seen @ given["hidden"]["kernel"] + given["hidden"]["bias"]
  wanted = np.maximum(hidden, 0) @ given["out"]["kernel"]
  y = mixer.apply(variables, X, whole(X))
  assert_close(y[0], wanted, level="module")


def test_a_wider_window_has_more_parameters():
  def count(before: int, after: int) -> int:
    mixer = WindowConnected(before=before, after=after)
    shapes = jax.eval_shape(mixer.init, jax.random.key(0), X, whole(X))
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))

  assert count(2, 1) - count(1, 1) == count(3, 3) - count(3, 2) == 4 * D * D


@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ({"before": -1}, "before = -1; allowed: 0 or more"),
    ({"after": -2}, "after = -2; allowed: 0 or more"),
    ({"before": 7}, "before = 7; allowed: less than the sequence length 7"),
    ({"after": 9}, "after = 9; allowed: less than the sequence length 7"),
  ],
)
def test_a_window_that_does_not_fit_is_refused(fields, message):
  with pytest.raises(ValueError, match=message):
    WindowConnected(**fields).init(jax.random.key(0), X, whole(X))


def test_the_whole_sequence_is_not_too_wide():
  mixer = WindowConnected(before=T - 1, after=T - 1)
  variables = mixer.init(jax.random.key(0), X, whole(X))
  assert mixer.apply(variables, X, whole(X)).shape == X.shape
