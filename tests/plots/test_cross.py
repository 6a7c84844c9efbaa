"""The figure of a cross-attention, from plain arrays."""

import numpy as np
import pytest

from research.plots import cross
from research.plots.palette import LIGHT
from research.plots.style import save, svg

WEIGHTS = np.array([[0.9, 0.1, 0.0], [0.2, 0.3, 0.5]])


def drawn(**changes):
  given = {
    "weights": WEIGHTS,
    "rows": ["s", "END"],
    "columns": ["s", "·", "END"],
    "spans": [(0, 2), (2, 3)],
    "title": "cross-attention, layer 2",
  }
  return cross.cross_attention(**{**given, **changes})


def texts(labels):
  return [label.get_text() for label in labels]


def test_weights_labels_and_outlines():
  (axes,) = drawn().axes
  (image,) = axes.images
  assert (np.asarray(image.get_array()) == WEIGHTS).all()
  assert texts(axes.get_yticklabels()) == ["s", "END"]
  assert texts(axes.get_xticklabels()) == ["s", "·", "END"]
  boxes = [patch.get_bbox().bounds for patch in axes.patches]
  assert boxes == [(-0.5, -0.5, 2, 1), (1.5, 0.5, 1, 1)]
  assert "true alignment" in axes.get_xlabel()
  assert "layer 2" in axes.get_xlabel()
  assert LIGHT["orange"] in svg(drawn())


@pytest.mark.parametrize("spans", [[], [(0, 0), (0, 0)]])
def test_nothing_is_outlined_that_is_unknown(spans):
  (axes,) = drawn(spans=spans).axes
  assert not axes.patches
  assert ("alignment" in axes.get_xlabel().partition("\n")[0]) == bool(spans)


def test_characters_that_no_font_has_are_told_by_their_number(
  monkeypatch, tmp_path
):
  monkeypatch.setattr(cross, "families", lambda: ["DejaVu Sans"])
  cross._known.cache_clear()
  try:
    assert cross.shown("机 é") == "U+673A é"
    figure = drawn(rows=["机", "器"])
    (axes,) = figure.axes
    assert texts(axes.get_yticklabels()) == ["U+673A", "U+5668"]
    save(figure, tmp_path, "drawn")
  finally:
    cross._known.cache_clear()
  kinds = {path.suffix for path in tmp_path.iterdir()}
  assert kinds == {".svg", ".pdf", ".png"}


@pytest.mark.skipif(
  len(cross.families()) < 2, reason="no font here has Chinese characters"
)
def test_chinese_characters_are_drawn(tmp_path):
  figure = drawn(rows=["机", "器"])
  assert texts(figure.axes[0].get_yticklabels()) == ["机", "器"]
  save(figure, tmp_path, "drawn")  # warns of glyphs that a font lacks


def test_everything_lies_within_the_figure():
  long = [f"a_long_word_{i}" for i in range(40)]
  figure = drawn(
    weights=np.ones((3, 40)), rows=long[:3], columns=long, spans=[]
  )
  svg(figure)  # places the labels
  (axes,) = figure.axes
  box = axes.get_tightbbox()
  width, height = figure.bbox.size
  assert box.x0 >= 0 and box.y0 >= 0
  assert box.x1 <= width and box.y1 <= height
  assert len(axes.get_xticks()) < 40
