"""The report of mixers timed alone, and what commands say of such a run."""

import dataclasses
import math
import re
import shutil

import pytest

from research.command.agreement import compare, untested
from research.command.main import main
from research.command.progress import Lines, describe, display
from research.comparison import load
from research.experiment import BYTES, MILLISECONDS
from research.report import length_account, length_tables
from research.report.contents import contents
from research.report.document import markdown
from research.report.write import table
from research.results import read_summary
from research.run import Progress
from research.timing import ROUNDS
from tests.measured import EXPERIMENT, folder
from tests.reported import Page

SECTIONS = [
  "Verdicts",
  "Short answer",
  "Figures",
  "By length",
  "Background and outcome",
  "What was run",
  "Machine",
  "How sure",
  "Run it again",
]


@pytest.fixture
def page():
  return Page((folder() / "report.html").read_text())


@pytest.fixture
def written():
  return (folder() / "report.md").read_text()


def test_sections_stand_in_order(page, written):
  assert page.all("h2") == SECTIONS
  assert re.findall(r"^## (.*)$", written, re.MULTILINE) == SECTIONS
  facts = f"2 variants · 2 lengths × {ROUNDS} rounds"
  assert facts in page.text and facts in written


@pytest.mark.parametrize(
  "word",
  ["learning rate", "seed", "validation", "accuracy", "train", "steps", "nan"],
)
def test_nothing_is_said_about_training(written, word):
  assert not re.search(rf"\b{word}", written, re.IGNORECASE)


def test_every_number_stands_in_a_table(written):
  summary = read_summary(folder())
  row = summary.find("dense", slice="length=16", metric=MILLISECONDS)
  told, low, high = (
    length_tables._digits(x) for x in (row.mean, row.low, row.high)
  )
  assert f"{told} · [{low}, {high}]" in written
  memory = [
    summary.find("dense", slice=f"length={n}", metric=BYTES).mean
    for n in EXPERIMENT.lengths
  ]
  cells = " | ".join(length_tables._count(n).text for n in memory)
  assert f"| dense | {cells} |" in written
  power = summary.find("dense", metric="time_exponent")
  each = " | ".join(f"{x:.3f}".replace("-", "−") for x in power.values)
  assert f"| dense | {each} |" in written


def test_the_figures_are_named_and_told(page, written):
  assert re.findall(r"\(figures/(\w+)\.svg\)", written) == ["time", "memory"]
  labels = [one["aria-label"] for tag, one in page.tags if tag == "svg"]
  power = read_summary(folder()).find("dense", metric="memory_exponent").mean
  assert f"dense {power:.2f}" in labels[1]
  for tag, attributes in page.tags:
    target = attributes.get("href", "")
    if tag == "a" and not target.startswith("#"):
      assert (folder() / target).exists(), target


def test_what_was_run_can_be_read(page):
  for part in (
    "random numbers, 1 × length × 4, float32",
    "8 GiB of temporary memory or less",
    "model.mixer = Pointwise(",
    "power of the length, fitted over the lengths 4 to 16",
    "More than nothing.",
    "Difference",
    "counted",
    f"over {ROUNDS} rounds",
  ):
    assert part in page.text, part


def test_what_was_not_run_is_said(monkeypatch):
  summary = read_summary(folder())
  for module in (length_tables, length_account):
    monkeypatch.setattr(module, "MOST_BYTES", 2**30)
  rows = []
  for row in summary.rows:
    if (row.variant, row.slice) == ("dense", "length=16"):
      lost = (math.nan,) * len(row.values)
      row = (
        dataclasses.replace(row, mean=2.0**31, values=(2.0**31,))
        if row.metric == BYTES
        else dataclasses.replace(
          row, mean=math.nan, low=math.nan, high=math.nan, values=lost
        )
      )
    rows.append(row)
  summary = dataclasses.replace(summary, rows=tuple(rows))
  text = markdown(contents(EXPERIMENT, summary, (), {}, {}))
  assert (
    "Not run: dense at 16. Their programs were compiled, and ask for more than "
    "1 GiB" in text
  )
  assert not re.search(r"\bnan\b", text, re.IGNORECASE)
  drawn = dataclasses.replace(load(folder()), summary=summary).figures()
  assert [*drawn] == ["time", "memory"]


def test_the_plain_table_fits_a_terminal():
  lines = table(read_summary(folder()), EXPERIMENT).splitlines()
  assert len(lines) == 4 and max(map(len, lines)) <= 80
  assert lines[0].split()[:3] == ["variant", "time", "exp."]
  assert "<table" in load(folder())._repr_html_()


def test_nothing_was_trained_that_could_be_loaded(capsys):
  told = "experiment = 'alone' has no trained models"
  with pytest.raises(ValueError, match=told):
    load(folder()).model("dense")
  assert main(["attention", str(folder()), "--variant", "dense"]) == 2
  assert told in capsys.readouterr().err


def test_the_record_and_its_costs_are_shown(tmp_path, capsys):
  file = shutil.copy(folder() / "experiment.json", tmp_path / "alone.json")
  assert main(["show", str(file)]) == 0
  out = capsys.readouterr().out
  assert "timed alone at lengths 4, 16\nmodel.mixer = Attention\n" in out
  assert "task" not in out and "learning_rates" not in out
  assert "at length 16" in out and re.search(r"^dense +64 +128 ", out, re.M)
  assert main(["show", str(file), "--model", "dense"]) == 0
  *_, first, second, form = capsys.readouterr().out.splitlines()
  assert re.fullmatch(r"\d+ B of temporary memory at length 4", first)
  assert second.endswith("B of temporary memory at length 16")
  assert form.startswith("model.mixer is evaluated as 'dense'")


def test_progress_is_told_in_lines(capsys, monkeypatch):
  assert describe(EXPERIMENT) == (
    f"alone (smoke): 2 variants, 2 lengths, {ROUNDS} rounds"
  )
  monkeypatch.setattr("sys.stdout.isatty", lambda: True)
  with display("title", "score", quiet=False, plain=True) as listener:
    assert isinstance(listener, Lines)
  listener(Progress("note", "dense", 0, 2, message="compiling"))
  listener(Progress("note", variants=2, message="round 1 of 7"))
  assert capsys.readouterr().out.splitlines() == [
    "title",
    "[   0:00] dense (1/2): compiling",
    "[   0:00] round 1 of 7",
  ]


def test_counts_are_compared_where_the_machine_is_the_same():
  old = read_summary(folder())

  def other(metric):
    rows = [
      dataclasses.replace(row, values=tuple(9.0 for _ in row.values))
      if row.metric == metric
      else row
      for row in old.rows
    ]
    return dataclasses.replace(old, rows=tuple(rows))

  for metric in (MILLISECONDS, "time_exponent"):
    assert compare(old, other(metric), same_machine=True) == []
  found = compare(old, other(BYTES), same_machine=True)
  assert [one.kind for one in found] == ["value"] * 4
  for metric in (MILLISECONDS, "time_exponent", BYTES, "memory_exponent"):
    assert compare(old, other(metric), same_machine=False) == []
    assert untested(old, other(metric)) == []
