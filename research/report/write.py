"""The report of a run: one HTML page that stands alone, and one in Markdown.

Both are made from the files of the run's folder alone, so that a report can
be written again at any time.
"""

import pathlib

from research.experiment import Experiment
from research.folder import read_curves, read_experiment
from research.report import length_tables, tables
from research.report.contents import contents
from research.report.document import markdown, markdown_table, plain_table
from research.report.figures import figures, load_plots, pictures
from research.report.page import html_page, html_table
from research.results import Summary, atomic, read_json, read_summary

__all__ = ["figures", "table", "write_report"]


def write_report(folder: pathlib.Path) -> pathlib.Path:
  """Writes `report.html`, `report.md` and `figures/` into a run's folder.

  Args:
    folder: holds `experiment.json`, `environment.json`, `metrics.jsonl` and
      `summary.json`.

  Returns:
    The path of `report.html`.

  Raises:
    ValueError: a file is missing, damaged or of another version.
    ModuleNotFoundError: matplotlib is not installed; names the extra.
  """
  plots = load_plots()
  experiment, summary = read_experiment(folder), read_summary(folder)
  about = read_json(folder / "experiment.json")
  environment = read_json(folder / "environment.json")
  drawn = figures(experiment, summary, read_curves(folder))
  where = folder / "figures"
  where.mkdir(exist_ok=True)
  files = {n: plots.style.save(f, where, n) for n, f in drawn.items()}
  shown = pictures(experiment, summary, files)
  document = contents(experiment, summary, shown, about, environment)
  with atomic(folder / "report.md") as file:
    file.write(markdown(document))
  with atomic(folder / "report.html") as file:
    file.write(html_page(document))
  return folder / "report.html"


def table(
  summary: Summary,
  experiment: Experiment,
  form: str = "plain",
) -> str:
  """The short answer.

  Args:
    summary: the numbers.
    experiment: the record that they belong to.
    form: "plain" for a terminal of 80 columns, which has the numbers that
      fit there; "markdown" or "html" for all of them.

  Raises:
    ValueError: another form.
  """
  kind = length_tables if experiment.lengths else tables
  if form == "plain":
    return plain_table(kind.brief(experiment, summary))
  if form == "markdown":
    return markdown_table(kind.answer(experiment, summary))
  if form == "html":
    return html_table(kind.answer(experiment, summary))
  raise ValueError(f"form = {form!r}; allowed: 'plain', 'markdown', 'html'")
