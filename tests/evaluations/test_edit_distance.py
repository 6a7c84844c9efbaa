"""The edit distance against the recursion, cell by cell in plain Python."""

import jax
import numpy as np
import pytest

from research.evaluations.edit_distance import edit_distance

distance = jax.jit(edit_distance)
LONGEST = 8


def plain(a, b):
  """The whole table of Wagner 1974."""
  table = [list(range(len(b) + 1))]
  for i, x in enumerate(a, 1):
    row = [i]
    for j, y in enumerate(b, 1):
      above, left, corner = table[-1][j], row[-1], table[-1][j - 1]
      row.append(min(above + 1, left + 1, corner + (x != y)))
    table.append(row)
  return table[-1][-1]


def padded(words, filler):
  rows = np.full((len(words), LONGEST), filler)
  for row, word in zip(rows, words, strict=True):
    row[: len(word)] = word
  return rows, np.array([len(word) for word in words])


PAIRS = {
  ("kitten", "sitting"): 3,
  ("saturday", "sunday"): 3,
  ("flaw", "lawn"): 2,
  ("abcd", "dabc"): 2,
  ("", "abc"): 3,
  ("abc", ""): 3,
  ("", ""): 0,
  ("same", "same"): 0,
  ("aaaa", "a"): 3,
}


@pytest.mark.parametrize("filler", [0, ord("a")])
def test_pairs_worked_by_hand(filler):
  """Whatever stands behind the words, as "a" does in the second case."""
  left = [[*map(ord, word)] for word, _ in PAIRS]
  right = [[*map(ord, word)] for _, word in PAIRS]
  found = distance(*padded(left, filler), *padded(right, filler))
  assert found.tolist() == [*PAIRS.values()]


def test_it_is_the_plain_recursion():
  draws = np.random.RandomState(0)
  a, b = (draws.randint(0, 3, (200, LONGEST)) for _ in range(2))
  sizes_a, sizes_b = draws.randint(0, LONGEST + 1, (2, 200))
  wanted = [
    plain(x[:n].tolist(), y[:m].tolist())
    for x, n, y, m in zip(a, sizes_a, b, sizes_b, strict=True)
  ]
  found = distance(a, sizes_a, b, sizes_b)
  assert found.tolist() == wanted
  assert distance(b, sizes_b, a, sizes_a).tolist() == wanted
  assert len(set(wanted)) == LONGEST + 1


def test_the_rows_may_have_other_widths_and_none():
  a, b = np.array([[1, 2, 3]]), np.array([[2, 3, 4, 5, 1]])
  sizes = np.array([3]), np.array([4])
  assert distance(a, sizes[0], b, sizes[1]).tolist() == [3]
  empty = np.zeros((1, 0), int), np.array([0])
  assert distance(*empty, b, sizes[1]).tolist() == [4]
  assert distance(b, sizes[1], *empty).tolist() == [4]
