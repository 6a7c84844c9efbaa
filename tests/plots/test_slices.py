import math

import pytest

from research.plots import slices
from research.plots.style import looks
from tests.plots.rows import NAN, drawn, row, texts

LOOK = looks(["a", "b", "c"])


def lines():
  return {
    "a": [row("a", 0.9), row("a", 0.8), row("a", 0.7)],
    "b": [row("b", 0.9), None, row("b", 0.3)],
    "c": [row("c", 0.2), row("c", NAN), row("c", NAN)],
  }


def test_a_line_for_every_variant_over_the_slices():
  best = {"4": {"a": 0.95}, "16": {"a": 0.75}}
  figure = slices.by_slice(
    lines(), ["4", "8", "16"], "pairs", LOOK, "accuracy", best
  )
  (axes,) = figure.axes
  assert axes.get_xlabel() == "pairs"
  assert axes.get_ylabel() == "test accuracy (share right)"
  ticks = [label.get_text() for label in axes.get_xticklabels()]
  assert ticks == ["4", "8", "16"]
  assert sorted(texts(axes)) == ["a", "b", "c"]
  means = [[y for _, y in line] for line in drawn(axes)]
  assert [0.9, 0.8, 0.7] in means
  assert [0.9, 0.3] in means
  assert any(
    line[0] == 0.95 and math.isnan(line[1]) and line[2] == 0.75
    for line in means
    if len(line) == 3
  )
  for line in drawn(axes):
    assert all(abs(x - round(x)) <= 0.24 for x, _ in line)


def test_one_line_for_a_best_possible_that_all_share():
  best = {tick: dict.fromkeys("abc", 0.95) for tick in ("4", "8", "16")}

  def count(best):
    (axes,) = slices.by_slice(
      lines(), ["4", "8", "16"], "pairs", LOOK, "accuracy", best
    ).axes
    return [[y for _, y in line] for line in drawn(axes)].count([0.95] * 3)

  assert count(best) == 1
  best["4"]["a"] = 0.9
  assert count(best) == 2


def test_names_at_the_ends_do_not_overlap():
  equal = {name: [row(name, 0.5), row(name, 0.5)] for name in "abc"}
  (axes,) = slices.by_slice(
    equal, ["1", "2"], "pairs", LOOK, "accuracy", {}
  ).axes
  heights = sorted(t.xy[1] for t in axes.texts if t.get_text())
  gaps = [b - a for a, b in zip(heights, heights[1:], strict=False)]
  assert min(gaps) >= 8
  assert sum(heights) / 3 == pytest.approx(
    axes.transData.transform((0, 0.5))[1], abs=1e-6
  )


def test_ticks_are_thinned_where_they_have_no_room():
  ticks = [str(2**i) for i in range(16)]
  (axes,) = slices.by_slice(
    {"a": [row("a", 0.5)] * 16}, ticks, "distance", LOOK, "accuracy", {}
  ).axes
  shown = [label.get_text() for label in axes.get_xticklabels()]
  assert 2 <= len(shown) < 16 and set(shown) <= set(ticks)


def test_a_line_that_ends_early_is_named_by_its_marker():
  """A line to its name would cross those of all that go on."""
  short = {**lines(), "b": [row("b", 0.9), None, None]}
  (axes,) = slices.by_slice(
    short, ["4", "8", "16"], "pairs", LOOK, "accuracy", {}
  ).axes
  led = [note for note in axes.texts if note.arrow_patch is not None]
  assert len(led) == 2
  inches = axes.figure.dpi_scale_trans
  (key,) = (line for line in axes.lines if line.get_transform() == inches)
  assert key.get_marker() == LOOK["b"].marker
