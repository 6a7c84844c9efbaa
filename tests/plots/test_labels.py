import itertools

import numpy as np
import pytest

from research.plots.labels import HEIGHT, apart, beside
from research.plots.style import text_width

FRAME = (30.0, 30.0, 250.0, 180.0)


@pytest.mark.parametrize("seed", range(4))
def test_apart_keeps_gap_order_and_limits(seed):
  wanted = np.random.default_rng(seed).uniform(20, 60, size=7).tolist()
  places = apart(wanted, 8.0, 0.0, 100.0)
  assert np.argsort(places).tolist() == np.argsort(wanted).tolist()
  assert np.diff(sorted(places)).min() >= 8 - 1e-9
  assert min(places) >= 0 and max(places) <= 100


def test_apart_moves_no_more_than_it_must():
  assert apart([10.0, 50.0, 90.0], 8.0, 0.0, 100.0) == [10.0, 50.0, 90.0]
  assert apart([50.0, 50.0], 8.0, 0.0, 100.0) == pytest.approx([46.0, 54.0])
  assert apart([1.0, 2.0], 8.0, 0.0, 100.0) == pytest.approx([0.0, 8.0])
  assert apart([99.0, 98.0], 8.0, 0.0, 100.0) == pytest.approx([100.0, 92.0])


def test_apart_shrinks_the_gap_where_there_is_no_room():
  places = apart([5.0] * 5, 8.0, 0.0, 20.0)
  assert np.diff(places) == pytest.approx([5.0] * 4)
  assert (places[0], places[-1]) == pytest.approx((0.0, 20.0))
  assert apart([], 8.0, 0.0, 20.0) == []


def overlap(a, b):
  width = min(a[2], b[2]) - max(a[0], b[0])
  return max(width, 0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0)


@pytest.mark.parametrize("seed", range(3))
def test_labels_cover_neither_each_other_nor_points(seed):
  numbers = np.random.default_rng(seed)
  points = [
    (float(x), float(y))
    for x, y in numbers.uniform((40, 40), (240, 170), size=(9, 2))
  ]
  points[1] = (points[0][0] + 3, points[0][1])  # two on the same spot
  texts = [f"variant_{i}" for i in range(9)]
  boxes = beside(points, texts, FRAME)
  for a, b in itertools.combinations(boxes, 2):
    assert overlap(a, b) == 0
  for box, text in zip(boxes, texts, strict=True):
    assert box[2] - box[0] == pytest.approx(text_width(text))
    assert box[3] - box[1] == pytest.approx(HEIGHT)
    inside = overlap(box, FRAME) / (text_width(text) * HEIGHT)
    assert inside == pytest.approx(1)
    for x, y in points:
      assert overlap(box, (x - 1, y - 1, x + 1, y + 1)) == 0
