"""`mixerlab verify`: runs a reference experiment again and compares."""

import argparse
import contextlib
import pathlib
import shlex
import sys
import tempfile
from collections.abc import Iterator

from research.command import pages
from research.command.arguments import SCALES, Parser


def parser() -> Parser:
  """The arguments of the verb."""
  result = Parser(
    "verify",
    "Runs the reference experiment that the package brings once more, and "
    "compares the results. On the same machine, versions and code values have "
    "to be equal. Elsewhere the values of each row are compared by Welch's "
    "test, Holm-corrected over all rows at 1 % family-wise, and a verdict "
    "differs only if it held and is now refuted, or the other way round. "
    "Seconds and bytes are not compared.\n\n"
    "The exit code is 1 where something differs, and 0 where nothing does.",
    "examples:\n\n"
    "  mixerlab verify recall --only attention gru\n"
    "  mixerlab verify recall --against results/recall/latest",
  )
  result.add_argument("name", metavar="NAME", help="an experiment")
  result.add_argument(
    "--scale", choices=SCALES,
    help="of the reference results; laptop unless there are others only",
  )  # fmt: skip
  result.add_argument(
    "--only", nargs="+", default=[], metavar="VARIANT",
    help="run and compare these variants alone",
  )  # fmt: skip
  result.add_argument(
    "--out", metavar="DIR",
    help="keep the new run in this folder; it can then be stopped and "
    "continued. Without it the run is thrown away",
  )  # fmt: skip
  result.add_argument(
    "--against", metavar="DIR",
    help="run nothing: compare the run in this folder. Its seeds may be more "
    "or fewer; its rows are then compared by the test",
  )  # fmt: skip
  result.add_argument(
    "-q", "--quiet", action="store_true", help="do not show the progress"
  )
  return result


def main(arguments: list[str]) -> int:
  """Runs, compares, prints; 1 where something differs."""
  options = parser().parse_args(arguments)
  folder = pages.reference(options.name, options.scale)
  from research.command import against
  from research.command.progress import watch
  from research.folder import read_experiment
  from research.run import Interrupted

  experiment = read_experiment(folder)
  if options.only:
    experiment = experiment.only(tuple(options.only))
  if options.against:
    new = pathlib.Path(options.against)
    found = against.matching(experiment, read_experiment(new), new)
    return against.print_comparison(folder, new, found)
  command = f"python -m experiments verify {shlex.join(arguments)}"
  with _place(options.out) as out:
    try:
      watch(
        experiment,
        command=command,
        out=out,
        fresh=False,
        quiet=options.quiet,
      )
    except Interrupted as stop:
      print(_after(options, command), file=sys.stderr)
      return 128 + stop.signal
    return against.print_comparison(folder, out, experiment)


@contextlib.contextmanager
def _place(out: str | None) -> Iterator[pathlib.Path]:
  if out is not None:
    yield pathlib.Path(out)
    return
  with tempfile.TemporaryDirectory(prefix="mixerlab-") as folder:
    yield pathlib.Path(folder) / "run"


def _after(options: argparse.Namespace, command: str) -> str:
  if options.out:
    return f"Stopped and saved in {options.out}. This goes on:\n  {command}"
  return "Stopped. With --out DIR a run is kept and can be continued."
