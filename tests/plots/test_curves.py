import numpy as np
import pytest

from research.plots.curves import Curve, mean, panels
from research.plots.style import looks
from tests.plots.rows import NAN, drawn

RUNNING = Curve((100, 200, 300), (0.1, 0.3, 0.5), "finished")
REACHED = Curve((100, 200), (0.5, 0.9), "reached")
DIVERGED = Curve((100, 200), (0.1, NAN), "diverged")
LOOK = looks(["a", "b"])


def test_a_seed_that_stopped_keeps_its_score_in_the_mean():
  steps, scores = mean([RUNNING, REACHED])
  assert steps.tolist() == [100, 200, 300]
  assert scores == pytest.approx([0.3, 0.6, 0.7])


def test_no_mean_after_a_seed_diverged():
  _, scores = mean([RUNNING, DIVERGED])
  assert scores[0] == pytest.approx(0.1)
  assert np.isnan(scores[1:]).all()
  finite = Curve((100, 200), (0.1, 0.2), "diverged")  # seen before it was NaN
  assert np.isnan(mean([RUNNING, finite])[1][1:]).all()


def test_no_mean_before_all_have_begun():
  _, scores = mean([RUNNING, Curve((200,), (0.5,), "finished")])
  assert np.isnan(scores[0])
  assert scores[1:] == pytest.approx([0.4, 0.5])


def test_a_panel_for_every_variant():
  figure = panels(
    {"a": [RUNNING, REACHED], "b": [RUNNING, DIVERGED]},
    {"a": 0.003, "b": 0.001},
    LOOK,
    "accuracy",
  )
  first, second = figure.axes
  assert first.get_title(loc="left") == "a"
  assert first.get_title(loc="right") == "rate 3e-3"
  assert second.get_title(loc="right") == "rate 1e-3"
  labels = [text.get_text() for text in figure.texts]
  assert labels == ["training step", "validation accuracy (share right)"]
  assert first.get_xlim() == second.get_xlim()
  assert first.get_ylim() == pytest.approx((-0.02, 1.02))
  marks = [line.get_marker() for line in first.lines]
  assert marks.count("o") == 1 and marks.count("x") == 0
  marks = [line.get_marker() for line in second.lines]
  assert marks.count("o") == 0 and marks.count("x") == 1
  ends = [line for line in second.lines if line.get_marker() == "x"]
  assert [*map(float, ends[0].get_xdata()), *ends[0].get_ydata()] == [100, 0.1]
  thick = [line for line in first.lines if line.get_linewidth() == 1.6]
  assert len(thick) == 1
  assert list(thick[0].get_ydata()) == pytest.approx([0.3, 0.6, 0.7])
  assert [(100.0, 0.5), (200.0, 0.9)] in drawn(first)


def test_the_rate_is_left_out_beside_a_long_name():
  name = "a_very_long_name_of_a_variant"
  figure = panels({name: [RUNNING]}, {name: 0.003}, looks([name]), "accuracy")
  assert figure.axes[0].get_title(loc="left") == name
  assert figure.axes[0].get_title(loc="right") == ""
