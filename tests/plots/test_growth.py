import pytest

from research.plots import growth
from research.plots.style import looks
from tests.plots.rows import NAN, drawn, row, texts

LOOK = looks(["a", "b", "c"])
NAMES = {"a": "a 2.00", "b": "b 1.00", "c": "c –"}


def lines():
  lengths = (256, 1024, 4096)
  return {
    "a": [(n, row("a", n * n * 1.0, half=n)) for n in lengths],
    "b": [
      (256, row("b", 300.0)),
      (1024, row("b", 1200.0)),
      (4096, row("b", NAN)),
    ],
    "c": [(n, row("c", NAN)) for n in lengths],
  }


def axes():
  (found,) = growth.against_length(
    lines(), "time (ms, log scale)", LOOK, NAMES
  ).axes
  return found


def test_a_power_is_a_straight_line():
  found = axes()
  assert (found.get_xscale(), found.get_yscale()) == ("log", "log")
  assert found.get_ylabel() == "time (ms, log scale)"
  whole = [(n, float(n * n)) for n in (256, 1024, 4096)]
  assert whole in drawn(found)
  ends = [found.transData.transform(point) for point in whole]
  first, second = ends[1] - ends[0], ends[2] - ends[1]
  assert first == pytest.approx(second)
  assert any(
    line == [(256, 256**2 - 256), (256, 256**2 + 256)] for line in drawn(found)
  )


def test_what_has_no_mean_is_left_out():
  found = axes()
  assert [(256, 300.0), (1024, 1200.0)] in drawn(found)
  assert sorted(texts(found)) == ["a 2.00", "b 1.00"]


def test_an_interval_ends_with_the_panel():
  unsure = {"a": [(256, row("a", 2.0, half=5.0)), (1024, row("a", 8.0))]}
  (found,) = growth.against_length(unsure, "x", LOOK, NAMES).axes
  low, high = found.get_ylim()
  assert 0 < low < 2.0 < 7.0 < high
  assert [(256, low), (256, 7.0)] in drawn(found)
  unsure["a"][0] = (256, row("a", 2.0, half=50.0))
  (found,) = growth.against_length(unsure, "x", LOOK, NAMES).axes
  assert [(256, low), (256, high)] in drawn(found)


def test_nothing_at_all_can_be_drawn():
  (found,) = growth.against_length({"c": lines()["c"]}, "x", LOOK, NAMES).axes
  assert not texts(found)


def test_lengths_stand_on_the_axis_as_far_as_they_have_room():
  shown = [label.get_text() for label in axes().get_xticklabels()]
  assert sorted(shown) == ["1,024", "256", "4,096"]
  many = [(2**i, row("a", 2.0**i)) for i in range(3, 23)]
  (found,) = growth.against_length({"a": many}, "x", LOOK, NAMES).axes
  places = sorted(
    float(found.transData.transform((n, 1.0))[0]) for n in found.get_xticks()
  )
  assert found.get_xticks()[0] == 2**22 and 2 <= len(places) < 20
  assert min(b - a for a, b in zip(places, places[1:], strict=False)) > 12
