import io
import math
import sys

import pytest
from rich.console import Console

from research.command import progress
from research.command.live import Live
from research.command.progress import Lines, TimeLeft, clock, display, number
from research.run import Progress, _best
from tests.command import tiny

NAMES = ("attention", "gru", "long_convolution")
TITLE = "recall (laptop): 3 variants, 2 seeds, 1 learning rate"


def event(kind="chunk", index=0, step=0, seconds=0.0, **more):
  return Progress(
    kind, NAMES[index], index, len(NAMES), step, 1000, seconds=seconds, **more
  )


def events():
  seconds = 0.0
  for index in range(len(NAMES)):
    yield event("compile", index, seconds=seconds)
    for step in (500, 1000):
      seconds += 10
      yield event(
        "chunk", index, step, seconds,
        loss=1 / step, score=0.5, examples_per_second=12345.6,
      )  # fmt: skip
    yield event("variant", index, 1000, seconds, score=0.75)


def test_a_log_has_a_plain_line_for_each_event(capsys):
  listener = Lines(TITLE, "accuracy")
  for one in events():
    listener(one)
  listener(event("note", 2, message="gru was finished before"))
  out = capsys.readouterr().out
  assert out.isprintable() or set(out) - set("\n") <= {
    char for char in out if char.isprintable()
  }
  title, *lines = out.splitlines()
  assert title == TITLE
  assert lines[0] == "[   0:00] attention (1/3): compiling"
  assert lines[1] == (
    "[   0:10] attention (1/3): step 500/1000, loss 0.002, accuracy 0.5, "
    "12,346 examples/s, 0:50 left"
  )
  assert lines[3] == (
    "[   0:20] attention (1/3): finished after 1000 steps, accuracy 0.75"
  )
  assert lines[-1].endswith("long_convolution (3/3): gru was finished before")
  assert len(lines) == 13


def test_what_is_unknown_is_a_dash(capsys):
  Lines("", "negative_error")(event(step=1))
  assert capsys.readouterr().out == (
    "[   0:00] attention (1/3): step 1/1000, loss –, negative error –, "
    "– examples/s\n"
  )


def test_a_score_of_seeds_that_all_rates_lost_is_unknown():
  validation = [math.nan, 0.5, 0.25, 0.75]  # two seeds of two rates
  assert _best(validation, 2) == 0.625
  assert math.isnan(_best([*validation[:3], math.nan], 2))


def test_time_left_counts_from_the_first_variant_that_is_trained():
  left = TimeLeft()
  assert left(event("note", 0, message="finished before")) is None
  assert left(event("compile", 1, seconds=4.0)) is None
  assert left(event("chunk", 1, 500, seconds=10.0)) == pytest.approx(18.0)
  assert left(event("variant", 1, 700, seconds=14.0)) == pytest.approx(10.0)
  assert left(event("variant", 2, 100, seconds=20.0)) == pytest.approx(0.0)


def test_a_run_that_is_not_in_a_terminal_is_logged(capsys):
  with display(TITLE, "accuracy", quiet=False) as listener:
    assert isinstance(listener, Lines)
  assert capsys.readouterr().out == ""


def test_a_quiet_run_shows_nothing(capsys):
  with display(TITLE, "accuracy", quiet=True) as listener:
    for one in events():
      listener(one)
  assert capsys.readouterr().out == ""


def test_a_terminal_has_a_live_table_where_rich_is(monkeypatch):
  monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
  assert isinstance(display(TITLE, "accuracy", quiet=False), Live)
  monkeypatch.setattr(progress.importlib.util, "find_spec", lambda name: None)
  with display(TITLE, "accuracy", quiet=False) as listener:
    assert isinstance(listener, Lines)


def terminal():
  return Console(
    file=io.StringIO(), width=80, height=24, force_terminal=True,
    color_system=None, legacy_windows=False,
  )  # fmt: skip


@pytest.fixture
def console():
  return terminal()


def drawn(live):
  paper = terminal()
  paper.print(live.render())
  return [line.rstrip() for line in paper.file.getvalue().splitlines()]


def test_the_live_table_has_a_row_for_each_variant(console):
  with Live(TITLE, "accuracy", console) as live:
    for one in list(events())[:6]:
      live(one)
    footer = drawn(live)[-1]
  assert footer.startswith("variant 2 of 3, 0:00 gone, about 0:30 left")
  header, first, second, footer = drawn(live)
  assert header.split() == ["variant", "step", "loss", "accuracy", "examples/s"]
  assert first.split()[0] == "attention"
  assert first.split()[2:] == ["1000/1000", "0.75"]
  assert second.split()[2:] == ["500/1000", "0.002", "0.5", "12,346"]
  assert footer == "variant 2 of 3, 0:00 gone"


def test_a_variant_that_is_compiled_says_so(console):
  with Live(TITLE, "accuracy", console) as live:
    live(event("compile"))
  assert drawn(live)[1].split() == ["attention", "compiling"]


def test_the_latest_rows_stay_in_sight(console):
  with Live(TITLE, "accuracy", console) as live:
    for index in range(60):
      live(Progress("variant", f"v{index}", index, 60, 10, 10))
  lines = drawn(live)
  assert len(lines) <= console.height - 2
  assert lines[-2].startswith("v59")


def test_the_live_table_is_drawn_and_notes_stand_above_it(console):
  with Live(TITLE, "accuracy", console) as listener:
    for one in events():
      listener(one)
    listener(event("note", message="[a] checkpoint is damaged"))
  out = console.file.getvalue()
  assert TITLE in out
  assert "[a] checkpoint is damaged" in out
  assert out.rindex("long_convolution") > out.index("[a] checkpoint")


@pytest.mark.parametrize(
  ("seconds", "text"),
  [
    (0.0, "0:00"),
    (7.4, "0:07"),
    (-3.0, "0:00"),
    (754.0, "12:34"),
    (3723.0, "1:02:03"),
  ],
)
def test_times_are_readable(seconds, text):
  assert clock(seconds) == text


def test_numbers_are_readable():
  assert number(0.123456) == "0.1235"
  assert number(math.nan) == "–"


def test_what_is_run_is_told_in_a_line():
  assert progress.describe(tiny.experiment()) == (
    "tiny (laptop): 2 variants, 2 seeds, 1 learning rate"
  )


def test_a_run_is_watched(monkeypatch, capsys):
  seen = {}

  def run(experiment, **more):
    seen.update(more, experiment=experiment)
    more["progress"](event("compile"))
    return None

  monkeypatch.setattr(progress, "run", run)
  watch = progress.watch.__wrapped__
  watch(tiny.experiment(), command="c", out="o", fresh=True, quiet=False)
  seen.pop("progress")
  assert seen == {
    "experiment": tiny.experiment(),
    "command": "c",
    "out": "o",
    "fresh": True,
  }
  assert "compiling" in capsys.readouterr().out
