import dataclasses
import re
import subprocess
import sys

import pytest

from research.attention.layer import Attention
from research.report.account import describe, outline
from research.report.contents import contents
from research.report.tables import answer, brief, by_slice
from research.report.write import figures, table, write_report
from research.results import read_summary
from tests import fabricated
from tests.reported import NAMES, Page, plain, strange

SECTIONS = [
  "Verdicts",
  "Short answer",
  "By slice",
  "Figures",
  "Background and outcome",
  "What was run",
  "Machine",
  "How sure",
  "Run it again",
]


@pytest.fixture
def folder():
  return plain()


@pytest.fixture
def page():
  return Page((plain() / "report.html").read_text())


def test_sections_stand_in_order(page, folder):
  assert page.all("h2") == SECTIONS
  text = (folder / "report.md").read_text()
  assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS
  assert page.all("h1") == [fabricated.experiment().question]


def test_verdicts_are_told_in_words_and_numbers(page, folder):
  written = (folder / "report.md").read_text()
  for row in read_summary(folder).verdicts:
    low, high, told = (
      f"{x:.3f}".replace("-", "−") for x in (row.low, row.high, row.estimate)
    )
    for text in (page.text, written):
      assert row.text in text
      assert f"Difference {told} [{low}, {high}], " in text
      effect = f"smallest effect {row.smallest_effect:.3f}"
      assert f"{effect}, over 5 seeds" in text
  found = {row.verdict for row in read_summary(folder).verdicts}
  assert found == {"holds", "refuted", "undecided"}
  assert "✓holds" in page.text and "✗refuted" in page.text
  assert "**✓ holds**" in written and "**? undecided**" in written
  needed = [row.seeds_needed for row in read_summary(folder).verdicts]
  (needed,) = [number for number in needed if number is not None]
  assert f"{needed} seeds would decide it" in page.text
  assert "accuracy of attention − accuracy of linear_attention" in page.text


def test_the_answer_has_every_number_the_best_first(folder):
  summary = read_summary(folder)
  text = table(summary, fabricated.experiment(), "markdown")
  head, _, *rows = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in text.splitlines()
    if line.startswith("|")
  ]
  means = [float(row[1]) for row in rows]
  assert len(rows) == 8 and means == sorted(means, reverse=True)
  best = dict(zip(head, rows[0], strict=True))
  assert best.pop("variant").strip() == "attention_shift"
  row = summary.find("attention_shift")
  assert best == {
    "accuracy": f"{row.mean:.3f}",
    "95% interval": f"[{row.low:.3f}, {row.high:.3f}]",
    "solved": "5/5",
    "parameters": "67k",
    "state": "8.4k",
    "FLOPs / example": "5.2M",
    "memory (B)": "80M",
    "compile (s)": "4.9",
    "train (s)": "44",
    "examples / s": "29k",
    "rate": "3e-3",
    "steps": "800",
  }


def test_each_seed_is_shown_and_hinted_at(page, folder):
  row = read_summary(folder).find("gru")
  hints = [attributes.get("title", "") for _, attributes in page.tags]
  hint = ", ".join(f"seed {i}: {x:.3f}" for i, x in enumerate(row.values))
  assert hint in hints
  written = (folder / "report.md").read_text()
  assert f"| gru | {' | '.join(f'{x:.3f}' for x in row.values)} |" in written
  assert "66,048" in hints


def test_slices_come_with_intervals_and_the_best_possible(folder):
  written = (folder / "report.md").read_text()
  row = read_summary(folder).find("window", slice="pairs=8")
  ends = f"[{row.low:.3f}, {row.high:.3f}]"
  assert f"{row.mean:.3f} · {ends} of 0.30 possible" in written
  assert "| variant | 4 | 8 | 16 | 32 |" in written
  assert "| variant | test | length_128 |" in written
  assert "Accuracy by pairs, test task length_128" in written


def test_a_family_of_one_slice_says_no_more_than_the_whole(folder):
  summary, record = read_summary(folder), fabricated.experiment()
  (every,) = by_slice(record, summary, "test")
  assert len(every.columns) == 1 + len(fabricated.PAIRS)
  rows = [row for row in summary.rows if row.slice in ("all", "pairs=4")]
  one = dataclasses.replace(summary, rows=tuple(rows))
  assert by_slice(record, one, "test") == []


def test_what_was_run_can_be_read_and_run_again(page):
  for part in (
    "SequenceModel",
    "chosen by the best mean score on validation examples",
    "5 seeds × 2 learning rates: 1e-3, 3e-3",
    "model.layers = 3",
    "task.length = 128",
    "python -m experiments run recall --scale laptop",
    fabricated.experiment().identity,
    "Arora et al. (2023) report",
    "jax 0.10.2",
    "with changes that were not committed",
  ):
    assert part in page.text, part
  assert "Warning" not in page.text
  pre = " ".join(page.all("pre"))
  assert re.search(r"mixer +Attention\n +heads +2\n", pre)


def test_a_report_written_again_is_the_same(folder):
  files = [path for path in folder.rglob("*") if path.is_file()]
  before = {path: path.read_bytes() for path in files}
  for path in files:
    if path.parent.name == "figures" or path.stem == "report":
      path.unlink()
  write_report(folder)
  assert len(files) == 5 + 2 + 3 * len(NAMES)
  assert {path: path.read_bytes() for path in files} == before


def test_one_variant_is_told_as_one():
  one = fabricated.experiment().only(("gru",))
  facts = contents(one, fabricated.summary(one), (), {}, {}).facts
  assert "1 variant" in facts and "5 seeds × 2 learning rates" in facts


def test_a_function_is_told_by_its_path():
  layer = Attention(score_mod=fabricated.experiment)
  path = "tests.fabricated:experiment"
  assert describe(layer) == f"Attention(score_mod={path})"
  assert any(line.endswith(f" {path}") for line in outline(layer))


def test_choosing_by_test_is_named_loudly():
  page = Page((strange() / "report.html").read_text())
  (warning,) = [text for text in page.all("p") if "Warning" in text]
  assert "selection = “test”" in warning and "lstm, gru" in warning
  assert "THE BEST MEAN SCORE ON THE TEST EXAMPLES" in page.text
  assert "> **Warning:" in (strange() / "report.md").read_text()


def test_what_is_missing_is_a_dash():
  written = (strange() / "report.md").read_text()
  assert re.search(r"^\| lstm \| – \| – \| – \|", written, re.MULTILINE)
  assert re.search(
    r"^\| gru \| 0\.\d+ \| .* \| 0\.750 \|", written, re.MULTILINE
  )
  assert "Diverged: lstm (seed 0)" in written
  assert "This run has 1, so that every claim is undecided" in written
  assert "Nothing is quoted." in written
  assert "Without a mean, as a seed diverged: lstm." in written
  assert not re.search(r"\bnan\b", written, re.IGNORECASE)


def test_the_plain_table_fits_a_terminal(folder):
  text = table(read_summary(folder), fabricated.experiment())
  lines = text.splitlines()
  assert len(lines) == 10 and max(map(len, lines)) <= 80
  assert lines[0].split()[:2] == ["variant", "accuracy"]
  assert lines[2].startswith("attention_shift  ")


def test_the_html_table_is_a_table_alone(folder):
  page = Page(table(read_summary(folder), fabricated.experiment(), "html"))
  tags = [tag for tag, _ in page.tags]
  assert tags[0] == "table" and tags.count("tr") == 9
  with pytest.raises(ValueError, match="form = 'latex'; allowed"):
    table(read_summary(folder), fabricated.experiment(), "latex")


def test_no_rows_give_no_figures_and_no_error():
  summary = dataclasses.replace(
    fabricated.summary(fabricated.experiment()), rows=(), verdicts=()
  )
  assert figures(fabricated.experiment(), summary, []) == {}


def test_a_damaged_file_is_named(tmp_path):
  made = fabricated.write_folder(tmp_path / "run")
  (made / "environment.json").write_text("{")
  with pytest.raises(ValueError, match="environment.json is damaged"):
    write_report(made)


def test_without_matplotlib_the_table_works_and_the_report_names_the_extra(
  folder,
):
  program = f"""
import pathlib, sys
sys.modules["matplotlib"] = None
from research.report import write as report
from research.results import read_summary
from tests import fabricated
folder = pathlib.Path({str(folder)!r})
print(report.table(read_summary(folder), fabricated.experiment())[:7])
try:
  report.write_report(folder)
except ModuleNotFoundError as error:
  print(error)
"""
  done = subprocess.run(
    [sys.executable, "-c", program], capture_output=True, text=True, check=True
  )
  assert done.stdout.startswith("variant\n")
  assert "figures need matplotlib" in done.stdout
  assert "pip install 'mixerlab[plots]'" in done.stdout


def drawn(record, name):
  """The lines of a figure, each as its points."""
  (axes,) = figures(record, fabricated.summary(record), [])[name].axes
  return [
    [*zip(*(map(float, part) for part in line.get_data()), strict=True)]
    for line in axes.lines
  ]


def test_guessing_has_a_line_where_it_is_the_same_for_all():
  record = fabricated.experiment()
  guess = [(1 / 20, 0.0), (1 / 20, 1.0)]
  assert guess in drawn(record, "accuracy")
  first, *rest = record.variants
  first = dataclasses.replace(first, fields=(("task.classes", 40),))
  record = dataclasses.replace(record, variants=(first, *rest))
  assert guess not in drawn(record, "accuracy")


def test_a_state_is_drawn_in_bytes():
  at = {
    x for line in drawn(fabricated.experiment(), "state_size") for x, _ in line
  }
  states = {made.state for made in fabricated.MADE.values() if made.state}
  assert {4.0 * state for state in states} <= at


def test_the_best_are_those_that_write_with_the_fewest_errors(folder):
  """Not those that are right while they are shown the target."""
  experiment, summary = fabricated.experiment(), read_summary(folder)
  order = [row[0].text for row in answer(experiment, summary).rows]
  errors = {name: 0.1 * place for place, name in enumerate(reversed(order))}
  wrote = [
    dataclasses.replace(
      summary.find(name), metric="error_rate", mean=errors[name]
    )
    for name in order
  ]
  wrote[0] = dataclasses.replace(wrote[0], mean=float("nan"))
  both = dataclasses.replace(summary, rows=(*summary.rows, *wrote))
  expected = [*order[:0:-1], order[0]]
  assert [row[0].text for row in answer(experiment, both).rows] == expected
  some = dataclasses.replace(summary, rows=(*summary.rows, *wrote[1:]))
  assert [row[0].text for row in answer(experiment, some).rows] == order
  told = str(contents(experiment, both, (), {}, {}))
  assert f"Error rate here, the best first: {expected[0]} 0.000" in told
  table = brief(experiment, both)
  assert [row[0].text for row in table.rows] == expected
  assert [cell.text for cell in table.columns[:4]] == [
    "variant", "error rate", "95% interval", "accuracy",
  ]  # fmt: skip
  assert table.rows[0][1].text == "0.000"
