import jax
import jax.numpy as jnp
import numpy as np

from research.tasks.reverse import Reverse
from research.tasks.transduction import glued, stacked, until


def test_pieces_of_any_size_are_glued():
  pieces = stacked(jnp.array([1, 2, 3]), 4, jnp.array([5, 6]))
  assert pieces.tolist() == [[1, 2, 3], [4, 0, 0], [5, 6, 0]]
  found = jax.jit(jax.vmap(lambda counts: glued(pieces, counts, 6)))(
    jnp.array([[3, 1, 2], [2, 0, 1], [0, 1, 0], [0, 0, 0]])
  )
  rows, sizes = map(np.asarray, found)
  assert rows.tolist() == [
    [1, 2, 3, 4, 5, 6],
    [1, 2, 5, 0, 0, 0],
    [4, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 0],
  ]
  assert sizes.tolist() == [6, 3, 1, 0]


def test_a_pair_worked_by_hand():
  """Padding is zero, whatever stood there: NaN in vectors, too."""
  frames = jnp.array([[1.0, 2.0], [3.0, 4.0], [np.nan, np.nan]])
  target = jnp.array([7, 5, 9, 9])
  example = Reverse(longest=3).pair(frames, 2, target, 2, {"size": 2})
  assert example.inputs.tolist() == [0, 7, 5, 0]
  assert example.targets.tolist() == [7, 5, 1, 0]
  assert example.weights.tolist() == [1, 1, 1, 0]
  assert example.places.positions.tolist() == [0, 1, 2, 0]
  assert example.source[0].tolist() == [[1, 2], [3, 4], [0, 0]]
  assert example.source[1].segments.tolist() == [1, 1, 0]
  assert example.slices["size"].tolist() == [2] * 4


def test_places_until_a_number():
  places = until(2, 4)
  assert places.positions.tolist() == [0, 1, 0, 0]
  assert places.segments.tolist() == [1, 1, 0, 0]
