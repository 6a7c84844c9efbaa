import dataclasses
import importlib.util
import json
import math
import pathlib
import signal
import subprocess
import sys

import pytest

from research.command import progress, telling
from research.command.main import main
from research.comparison import Comparison, load
from research.results import write_json, write_summary
from research.run import Interrupted
from tests.command import tiny

FEW = dataclasses.replace(tiny.experiment(), tests=())
"""With fewer programs to compile."""


@pytest.fixture
def run(here, monkeypatch):
  """Puts made-up results in the place of a run; tells how it was called."""
  tiny.write(here)
  calls = []

  def run(experiment, **more):
    calls.append((experiment, more))
    rows = [tiny.row(name) for name in experiment.names()]
    verdicts = [tiny.verdict("holds", c.name) for c in experiment.claims]
    summary = tiny.summary(*rows, verdicts=tuple(verdicts))
    return Comparison(experiment, summary, [], here / "results" / "there")

  monkeypatch.setattr(progress, "run", run)
  monkeypatch.setattr(telling, "write_report", lambda f: f / "report.html")
  return calls


def called(calls):
  ((experiment, more),) = calls
  more.pop("progress")
  return experiment, more


def test_a_run_gets_the_record_and_the_command_that_repeats_it(run, capsys):
  assert main(["run", "tiny.json"]) == 0
  assert called(run) == (
    tiny.experiment(),
    {
      "out": None,
      "fresh": False,
      "command": "python -m experiments run tiny.json",
    },
  )
  *_, report, repeat = capsys.readouterr().out.splitlines()
  assert report.split()[0] == "Report"
  assert report.endswith("results/there/report.html")
  assert repeat == "Repeat  python -m experiments run tiny.json"


def test_a_fresh_run_is_repeated_without_being_fresh(run):
  arguments = ["--fresh", "--out", "a b", "--training.steps", "3", "-q"]
  assert main(["run", "tiny.json", *arguments]) == 0
  experiment, more = called(run)
  assert more == {
    "out": "a b",
    "fresh": True,
    "command": "python -m experiments run tiny.json --out 'a b' "
    "--training.steps 3 -q",
  }
  assert experiment.training.steps == 3


def test_the_verdicts_are_told_with_their_numbers(run, capsys):
  assert main(["run", "tiny.json"]) == 0
  out = capsys.readouterr().out
  assert (
    "HOLDS      rotary_helps: Rotary positions help.\n"
    "           0.200 [0.100, 0.300] over 5 seeds; 0.050 or more was claimed"
    in out
  )


def test_what_would_decide_is_told():
  undecided = dataclasses.replace(
    tiny.verdict("undecided"), text="word " * 30, seeds_needed=9
  )
  lines = list(telling.verdict_lines(tiny.summary(verdicts=(undecided,)), 80))
  assert lines[0].startswith("UNDECIDED  rotary_helps: word word")
  assert lines[1].startswith("           word")
  assert "9 seeds would decide" in " ".join(" ".join(lines).split())
  assert max(map(len, lines)) <= 80


def test_a_quiet_run_prints_the_table_alone(run, capsys):
  assert main(["run", "tiny.json", "-q"]) == 0
  lines = capsys.readouterr().out.splitlines()
  assert lines[0].split()[0] == "variant"
  assert {line.split()[0] for line in lines[2:]} == {"attention", "rotary"}


def test_results_stand_without_a_drawing_library(run, monkeypatch, capsys):
  def missing(folder):
    raise ModuleNotFoundError("figures need matplotlib")

  monkeypatch.setattr(telling, "write_report", missing)
  assert main(["run", "tiny.json"]) == 0
  out = capsys.readouterr().out
  assert "Report  none: figures need matplotlib; then mixerlab report" in out


def test_event_files_need_their_extra(run, monkeypatch, capsys):
  monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
  assert main(["run", "tiny.json", "--tensorboard"]) == 2
  assert "mixerlab[tensorboard]" in capsys.readouterr().err
  assert run == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_prints_the_command_that_goes_on(
  run, monkeypatch, capsys, number
):
  def stopped(*arguments, **more):
    raise Interrupted(pathlib.Path("results/tiny/now"), number)

  monkeypatch.setattr(progress, "run", stopped)
  assert main(["run", "tiny.json", "--fresh", "--seeds", "3"]) == 128 + number
  assert capsys.readouterr().err == (
    "Stopped and saved in results/tiny/now. This goes on:\n"
    "  python -m experiments run tiny.json --seeds 3\n"
  )


def test_help_with_a_name_has_the_paths_too(run, capsys):
  assert main(["run", "tiny.json", "--help"]) == 0
  out = capsys.readouterr().out
  assert "usage: mixerlab run [-h]" in out
  assert "--variants.rotary.model.mixer.position.base" in out


def test_help_with_a_name_does_without_tyro(run, monkeypatch, capsys):
  monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
  assert main(["run", "tiny.json", "--help"]) == 0
  assert capsys.readouterr().out.endswith("`show` prints them as well.\n")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
  """A real run of the small experiment: its folder, and what was printed."""
  folder = tmp_path_factory.mktemp("finished")
  tiny.write(folder, FEW)
  done = subprocess.run(
    [sys.executable, "-m", "experiments", "run", "tiny.json",
     "--tensorboard"],
    cwd=folder, env=tiny.environment(), capture_output=True, text=True,
  )  # fmt: skip
  assert done.returncode == 0, done.stderr
  return folder, done


def test_a_real_run_leaves_its_files(finished):
  folder, _ = finished
  latest = folder / "results" / "tiny" / "latest"
  assert latest.is_symlink()
  kept = {path.name for path in latest.iterdir()}
  assert {"report.html", "report.md", "summary.json", "tensorboard"} <= kept
  assert load(latest).experiment == FEW
  document = json.loads((latest / "experiment.json").read_text())
  assert document["command"] == (
    "python -m experiments run tiny.json --tensorboard"
  )
  assert list((latest / "tensorboard").rglob("events*"))


def test_a_real_run_tells_what_happens_and_what_came_out(finished):
  folder, done = finished
  lines = done.stdout.splitlines()
  assert done.stdout.replace("\n", "").isprintable()
  assert lines[0] == "tiny (laptop): 2 variants, 2 seeds, 1 learning rate"
  assert lines[1].endswith("attention (1/2): compiling")
  assert any("rotary (2/2): finished after 2 steps" in line for line in lines)
  assert any(line.startswith("UNDECIDED  rotary_helps") for line in lines)
  report = pathlib.Path(lines[-2].removeprefix("Report  "))
  assert (folder / report).is_file()


def test_a_report_can_be_written_again(finished, monkeypatch, capsys):
  folder, _ = finished
  monkeypatch.chdir(folder)
  page = folder / "results" / "tiny" / "latest" / "report.html"
  page.unlink()
  assert main(["report", "tiny"]) == 0
  printed = pathlib.Path(capsys.readouterr().out.strip())
  assert printed.samefile(page)


def test_a_run_verifies_itself(finished, own_pages, monkeypatch, capsys):
  folder, _ = finished
  monkeypatch.chdir(folder)
  latest = folder / "results" / "tiny" / "latest"
  reference = own_pages / "reference" / "tiny"
  reference.mkdir(parents=True)
  for name in ("experiment.json", "environment.json", "summary.json"):
    (reference / name).write_bytes((latest / name).read_bytes())
  assert main(["verify", "tiny", "--against", str(latest)]) == 0
  assert "values have to be equal" in capsys.readouterr().out
  summary = load(latest).summary
  changed = [
    dataclasses.replace(row, values=(0.0, math.nan)) for row in summary.rows
  ]
  write_summary(reference, dataclasses.replace(summary, rows=tuple(changed)))
  assert main(["verify", "tiny", "--against", str(latest)]) == 1
  write_json(reference / "environment.json", {"jax": "0.1"})
  assert main(["verify", "tiny", "--against", str(latest)]) == 0


def test_a_real_run_that_is_stopped_says_how_to_go_on(tmp_path):
  tiny.write(tmp_path)
  words = ["run", "tiny.json", "--only", "attention", "--training.steps",
           "1000000", "--training.target", "2"]  # fmt: skip
  process = subprocess.Popen(
    [sys.executable, "-m", "experiments", *words],
    cwd=tmp_path, env=tiny.environment(), text=True,
    stdout=subprocess.PIPE, stderr=subprocess.PIPE,
  )  # fmt: skip
  try:
    for line in process.stdout:
      if "step" in line:
        break
    process.terminate()
    _, error = process.communicate(timeout=60)
  finally:
    process.kill()
  assert process.returncode == 128 + signal.SIGTERM
  assert "Stopped and saved in results/tiny/" in error
  assert error.endswith(f"  python -m experiments {' '.join(words)}\n")
