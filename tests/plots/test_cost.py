import itertools

import pytest

from research.plots.cost import against, decades
from research.plots.style import looks
from tests.plots.rows import NAN, drawn, row, texts

NAMES = ["attention", "convolution", "gru", "window"]
LOOK = looks(NAMES)
ROWS = [
  row(name, mean)
  for name, mean in zip(NAMES, (0.99, 0.3, 0.7, 0.2), strict=True)
]


def costs(*values):
  return dict(zip(NAMES, values, strict=True))


def draw(cost, rows=ROWS, metric="accuracy"):
  (axes,) = against(rows, cost, "state size (numbers)", LOOK, metric).axes
  return axes


def labels(axes):
  axes.figure.draw_without_rendering()
  return [label.get_text() for label in axes.get_xticklabels()]


def test_every_point_stands_at_its_cost_with_its_name():
  axes = draw(costs(8000, 400, 128, 1000))
  assert axes.get_xscale() == "log"
  assert axes.get_xlabel() == "state size (numbers)"
  assert axes.get_ylabel() == "test accuracy (share right)"
  assert sorted(texts(axes)) == NAMES
  points = [line[0] for line in drawn(axes) if len(line) == 1]
  assert points == [(8000, 0.99), (400, 0.3), (128, 0.7), (1000, 0.2)]
  assert labels(axes) == ["100", "1k", "10k"]


def test_names_overlap_nowhere():
  axes = draw(costs(8000, 8001, 8002, 8003), [row(n, 0.99) for n in NAMES])
  axes.figure.draw_without_rendering()
  boxes = [t.get_window_extent() for t in axes.texts if t.get_text()]
  assert len(boxes) == 4
  for a, b in itertools.combinations(boxes, 2):
    assert not a.overlaps(b)
  for box in boxes:
    assert box.x0 > 0 and box.x1 < axes.figure.bbox.x1


def test_a_cost_of_zero_stands_behind_a_gap():
  axes = draw(costs(8000, 400, 128, 0))
  assert "//" in texts(axes)
  assert labels(axes)[0] == "0"
  points = {y: x for (x, y), *more in drawn(axes) if not more}
  assert axes.get_xlim()[0] < points[0.2] < 128 / 2


def test_equal_costs_and_missing_means_are_drawn_all_the_same():
  rows = [*ROWS[:3], row("window", NAN)]
  axes = draw(costs(5, 5, 5, 5), rows)
  assert sorted(texts(axes)) == NAMES[:3]
  assert "5" in labels(axes)
  assert sorted(texts(draw(costs(5, NAN, 7, 9)))) == [NAMES[0], *NAMES[2:]]


def test_scores_that_are_no_shares_set_the_axis():
  rows = [row(name, -40.0 * mean, metric="error") for name, mean in
          zip(NAMES, (1, 2, 3, 4), strict=True)]  # fmt: skip
  low, high = draw(costs(1, 10, 100, 1000), rows, "error").get_ylim()
  assert low == pytest.approx(-160.02 - 0.06 * 120.04)
  assert high == pytest.approx(-39.98 + 0.06 * 120.04)


@pytest.mark.parametrize("cost", [1.0, 1.41, 14.1, 9.9, 3e6])
def test_a_single_cost_has_a_tick(cost):
  ticks = decades(cost, cost)
  assert ticks and all(cost / 1.4 <= tick <= cost * 1.4 for tick in ticks)


def test_sizes_of_one_thing_share_a_line_a_look_and_a_name():
  names = ["gla_64", "gru", "gla_16", "head_1_of_8", "head_2_of_8"]
  rows = [row(name, 0.1 * (i + 1)) for i, name in enumerate(names)]
  cost = dict(zip(names, (4000, 300, 100, 20, 50), strict=True))
  (axes,) = against(rows, cost, "state", looks(names), "accuracy").axes
  wanted = ["gla", "gru", "head_1_of_8", "head_2_of_8"]
  assert sorted(texts(axes)) == wanted
  joined = [line for line in axes.lines if len(line.get_xdata()) == 2]
  (line,) = (one for one in joined if {*one.get_xdata()} == {100, 4000})
  assert list(line.get_xdata()) == [100, 4000]
  points = {
    one.get_xdata()[0]: one.get_color()
    for one in axes.lines
    if len(one.get_xdata()) == 1
  }
  assert points[100] == points[4000] == line.get_color()
  assert points[300] != points[100]
