"""`mixerlab attention`: what a trained model looked at, as a page of maps."""

import pathlib
from typing import Any

from research.command import pages
from research.command.arguments import Parser
from research.record import suggest


def parser() -> Parser:
  """The arguments of the verb."""
  result = Parser(
    "attention",
    "Writes an HTML page that stands alone, with the attention map of every "
    "layer and head of a trained variant for one of its test examples, the "
    "tokens on the axes, and prints the path of the page. Nothing is "
    "trained.\n\n"
    "With the name of an experiment it is the latest run in results/NAME/.",
    "examples:\n\n"
    "  mixerlab attention recall --variant attention_shift --example 3\n"
    "  mixerlab attention results/recall/latest --variant attention --seed 2",
  )
  result.add_argument(
    "run", metavar="NAME|RUN_DIR", help="an experiment, or the folder of a run"
  )
  result.add_argument(
    "--variant", required=True, help="a variant that has attention"
  )
  result.add_argument(
    "--example", type=int, default=0, metavar="I",
    help="the number of the test example, from 0 (0)",
  )  # fmt: skip
  result.add_argument(
    "--seed", type=int, default=0, metavar="S",
    help="whose parameters and test examples, from 0 (0)",
  )  # fmt: skip
  result.add_argument(
    "--out", metavar="FILE",
    help="where to write the page, a file that ends in .html; without it into "
    "figures/ of the run",
  )  # fmt: skip
  result.add_argument(
    "--figure", action="store_true",
    help="draw the cross-attention nearest to the true alignment as well, as "
    ".svg, .pdf and .png beside the page",
  )  # fmt: skip
  return result


def main(arguments: list[str]) -> int:
  """Writes the page and prints its path."""
  options = parser().parse_args(arguments)
  folder = _folder(options.run)
  name = f"attention-{options.variant}-{options.seed}-{options.example}.html"
  out = pathlib.Path(options.out or folder / "figures" / name)
  if out.suffix != ".html":
    raise ValueError(
      f"--out = {options.out!r} names no page; allowed: a file that ends in "
      ".html, beside which figures are put"
    )
  if options.out and (out.is_dir() or not out.parent.is_dir()):
    raise ValueError(
      f"--out = {options.out!r} cannot be written; allowed: a file in a "
      "folder that exists"
    )
  from research.command.attended import attended
  from research.comparison import load
  from research.report.maps import maps_page
  from research.results import atomic

  seen = attended(load(folder), options.variant, options.seed, options.example)
  drawn = _figure(options.variant, seen) if options.figure else None
  if not options.out:
    out.parent.mkdir(exist_ok=True)
  with atomic(out) as file:
    file.write(maps_page(seen))
  print(out)
  if drawn:
    from research.plots.style import save

    save(drawn, out.parent, out.stem)
    print(out.with_suffix(".svg"))
  return 0


def _figure(variant: str, seen: Any) -> Any:
  """The cross-attention as a matplotlib figure, without padding.

  Raises:
    ValueError: there is no cross-attention.
  """
  from research.command.attended_pair import best_crossing
  from research.report.figures import load_plots

  layer = best_crossing(seen.layers)
  if layer is None:
    raise ValueError(
      f"--figure with variant = {variant!r}, which has no cross-attention; "
      "allowed: a variant of EncoderDecoder"
    )
  rows, columns = (
    range(1 + max(i for i, element in enumerate(side) if not element.padding))
    for side in (seen.elements, seen.source)
  )
  return load_plots().cross.cross_attention(
    layer.weights.mean(axis=0)[: len(rows), : len(columns)],
    [seen.elements[i].label for i in rows],
    [seen.source[i].label for i in columns],
    [layer.spans[i] for i in rows if layer.spans],
    layer.title.lower(),
  )


def _folder(name: str) -> pathlib.Path:
  """The folder of the run that is meant.

  Raises:
    ValueError: there is no such folder or run.
  """
  latest = pages.RESULTS / name / "latest"
  for folder in (latest, pathlib.Path(name), pages.RESULTS / name):
    if (folder / "experiment.json").exists():
      return folder.resolve() if folder is latest else folder
  kept = [path.parent.name for path in pages.RESULTS.glob("*/latest")]
  raise ValueError(
    f"RUN_DIR = {name!r} holds no run; "
    + (suggest(name, kept) if kept else "`mixerlab run` makes one")
  )
