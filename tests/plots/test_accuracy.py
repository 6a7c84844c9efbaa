from research.plots import accuracy
from research.plots.style import looks
from tests.plots.rows import NAN, drawn, row, texts

LOOK = looks(["a", "b", "c"])


def test_variants_stand_sorted_with_mean_interval_and_seeds():
  rows = [row("a", 0.5, values=(0.4, 0.6)), row("b", NAN), row("c", 0.9, 0.05)]
  figure = accuracy.by_variant(rows, LOOK, "accuracy", {"a": 0.8}, 0.1)
  (axes,) = figure.axes
  names = [label.get_text() for label in axes.get_yticklabels()]
  assert names == ["c", "a", "b"]
  assert axes.get_xlabel() == "test accuracy (share right)"
  assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first is on top
  assert texts(axes) == ["0.900", "0.500", "–", "chance"]
  points = drawn(axes)
  assert [(0.85, 0.0), (0.95, 0.0)] in [
    [(round(x, 9), y) for x, y in line] for line in points
  ]
  assert [(0.5, 1.0)] in points
  assert [(0.4, 1.33), (0.6, 1.33)] in points
  assert [(0.8, 0.66), (0.8, 1.34)] in [
    [(x, round(y, 9)) for x, y in line] for line in points
  ]


def test_seeds_beyond_all_intervals_lie_within_the_axis():
  rows = [row("a", 0.3, 0.1, values=(0.1, 0.9))]
  (axes,) = accuracy.by_variant(rows, LOOK, "error_rate", {}).axes
  low, high = axes.get_xlim()
  assert low < 0.1 and high > 0.9


def test_chance_is_left_out_where_it_is_not_known():
  (axes,) = accuracy.by_variant(
    [row("a", -3.0)], LOOK, "negative_error", {}
  ).axes
  assert texts(axes) == ["−3.000"]
  assert "squared" in axes.get_xlabel()
  low, high = axes.get_xlim()
  assert low < -3.02 and high > -2.98
