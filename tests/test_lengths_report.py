"""The report of mixers timed alone, and what commands say of such a run."""

import dataclasses
import math
import re
import shutil

import pytest

from research.command.against import print_comparison
from research.command.agreement import compare, untested
from research.command.main import main
from research.command.progress import Lines, describe, display
from research.comparison import load
from research.experiment import (
  BYTES,
  COUNTS,
  GENERATION_EXPONENT,
  MICROSECONDS,
  MILLISECONDS,
  TIMES,
)
from research.plots.readable import fixed
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


PLAIN = (MILLISECONDS, BYTES, "time_exponent", "memory_exponent")
FIGURES = ["time", "generation", "memory", "state"]

TIMED = """
timed alone at lengths 4, 16, and token by token
blocks must agree with dense
model.mixer = Attention
"""


@pytest.fixture
def page():
  return Page((folder() / "report.html").read_text())


@pytest.fixture
def written():
  return (folder() / "report.md").read_text()


def test_sections_stand_in_order(page, written):
  assert page.all("h2") == SECTIONS
  assert re.findall(r"^## (.*)$", written, re.MULTILINE) == SECTIONS
  facts = f"3 variants · 2 lengths × {ROUNDS} rounds"
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
    length_tables.digits(x) for x in (row.mean, row.low, row.high)
  )
  assert f"{told} · [{low}, {high}]" in written
  memory = [
    summary.find("dense", slice=f"length={n}", metric=BYTES).mean
    for n in EXPERIMENT.lengths
  ]
  cells = " | ".join(length_tables.counted(n).text for n in memory)
  assert f"| dense | {cells} |" in written
  power = summary.find("dense", metric="time_exponent")
  each = " | ".join(map(fixed, power.values))
  assert f"| dense | {each} |" in written


def test_the_figures_are_named_and_told(page, written):
  assert re.findall(r"\(figures/(\w+)\.svg\)", written) == FIGURES
  labels = [one["aria-label"] for tag, one in page.tags if tag == "svg"]
  power = read_summary(folder()).find("dense", metric="memory_exponent").mean
  assert f"dense {power:.2f}" in labels[2]
  power = read_summary(folder()).find("dense", metric=GENERATION_EXPONENT).mean
  assert f"dense {power:.2f}".replace("-", "−") in labels[1]
  assert (
    "Bytes at the longest: dense 644, blocks 644, pointwise 0." in labels[3]
  )
  for tag, attributes in page.tags:
    target = attributes.get("href", "")
    if tag == "a" and not target.startswith("#"):
      assert (folder() / target).exists(), target


def test_tokens_forms_and_crossings_stand_in_tables(written):
  summary = read_summary(folder())
  row = summary.find("dense", slice="length=16", metric=MICROSECONDS)
  told, low, high = map(length_tables.digits, (row.mean, row.low, row.high))
  assert f"{told} · [{low}, {high}]" in written
  assert "| dense | 164 | 644 |" in written  # bytes of the state
  assert "| pointwise | 0 | 0 |" in written
  assert "| blocks | dense | " in written
  gap = summary.find("blocks", metric="difference").mean
  assert f"from dense: blocks {gap:.1e} and " in written
  titles = "| faster | than dense | than blocks | than pointwise |"
  assert written.count(titles) == 2
  assert "Exponents of a token’s time: dense " in written


def test_what_was_not_measured_has_no_tables():
  alone = dataclasses.replace(EXPERIMENT, generation=False, same=())
  summary = read_summary(folder())
  kept = tuple(row for row in summary.rows if row.metric in PLAIN)
  summary = dataclasses.replace(summary, rows=kept, verdicts=())
  text = markdown(contents(alone, summary, (), {}, {}))
  assert "oken" not in text.partition("## What was run")[0]
  assert "agree" not in text and "oken by token" not in text
  drawn = dataclasses.replace(
    load(folder()), experiment=alone, summary=summary
  ).figures()
  assert [*drawn] == ["time", "memory"]


def test_what_was_run_can_be_read(page):
  for part in (
    "a call at each shorter length takes 2 s or less",
    "from an empty cache made for its length; the last 16 tokens",
    "dense, blocks: with the parameters of dense",
    "all arrays of the cache",
    "products are computed with all digits",
    "paired within the rounds, excludes zero",
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


@pytest.mark.parametrize(
  ("size", "told"),
  [
    (2.0**31, "ask for more than 1 GiB of temporary memory."),
    (5.0, "were left out, as a call at a shorter length takes more than 2 s."),
  ],
)
def test_what_was_not_run_is_said(monkeypatch, size, told):
  summary = read_summary(folder())
  for module in (length_tables, length_account):
    monkeypatch.setattr(module, "MOST_BYTES", 2**30)
  rows = []
  for row in summary.rows:
    if (row.variant, row.slice) == ("dense", "length=16"):
      if row.metric == BYTES:
        row = dataclasses.replace(row, mean=size, values=(size,))
      elif row.metric == MILLISECONDS:
        lost = dict.fromkeys(("mean", "low", "high"), math.nan)
        nothing = (math.nan,) * len(row.values)
        row = dataclasses.replace(row, values=nothing, **lost)
    rows.append(row)
  summary = dataclasses.replace(summary, rows=tuple(rows))
  text = markdown(contents(EXPERIMENT, summary, (), {}, {}))
  found = re.findall("Not run: .*", text)
  assert found == [
    f"Not run: dense at 16. Their programs were compiled, and {told}"
  ]
  assert not re.search(r"\bnan\b", text, re.IGNORECASE)
  drawn = dataclasses.replace(load(folder()), summary=summary).figures()
  assert [*drawn] == FIGURES


def test_the_plain_table_fits_a_terminal():
  lines = table(read_summary(folder()), EXPERIMENT).splitlines()
  assert len(lines) == 5 and max(map(len, lines)) <= 80
  titles = "variant time exp. token exp. µs/token ms at 16 memory (B)"
  assert " ".join(lines[0].split()) == titles
  alone = dataclasses.replace(EXPERIMENT, generation=False)
  lines = table(read_summary(folder()), alone).splitlines()
  titles = "variant time exp. 95% interval memory exp. ms at 16 memory (B)"
  assert " ".join(lines[0].split()) == titles
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
  assert TIMED in out
  assert "task" not in out and "learning_rates" not in out
  assert "at length 16" in out and re.search(r"^dense +64 +128 ", out, re.M)
  assert main(["show", str(file), "--model", "dense"]) == 0
  *_, first, second, form = capsys.readouterr().out.splitlines()
  assert re.fullmatch(r"\d+ B of temporary memory at length 4", first)
  assert second.endswith("B of temporary memory at length 16")
  assert form.startswith("model.mixer is evaluated as 'dense'")


def test_progress_is_told_in_lines(capsys, monkeypatch):
  assert describe(EXPERIMENT) == (
    f"alone (smoke): 3 variants, 2 lengths, {ROUNDS} rounds"
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

  for metric in TIMES:
    assert compare(old, other(metric), same_machine=True) == []
  found = compare(old, other(BYTES), same_machine=True)
  assert [one.kind for one in found] == ["value"] * 6
  for metric in (MILLISECONDS, "time_exponent", BYTES, *COUNTS):
    assert compare(old, other(metric), same_machine=False) == []
    assert untested(old, other(metric)) == []


def test_a_form_without_the_first_is_compared_with_the_whole(capsys):
  blocks = EXPERIMENT.only(("blocks",))
  assert print_comparison(folder(), folder(), blocks) == 0
  # Five a length, and four of them all: none is a difference.
  assert "14 rows and 0 verdicts of alone" in capsys.readouterr().out
  assert print_comparison(folder(), folder(), EXPERIMENT) == 0
  assert "48 rows and 7 verdicts of alone" in capsys.readouterr().out
