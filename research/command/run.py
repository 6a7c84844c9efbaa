"""`mixerlab run`: trains all variants of an experiment and reports."""

import importlib.util
import shlex
import sys
from argparse import Namespace
from typing import Any

from research.command.arguments import Parser
from research.command.distributed import joined
from research.command.selection import OVERRIDES, add_selection, parse


def parser() -> Parser:
  """The arguments of the verb, without the overrides by path."""
  result = Parser(
    "run",
    "Trains every variant of an experiment over seeds and learning rates, "
    "tests it, and writes results and a report to results/NAME/<run id>/. A "
    "run that was stopped or killed is continued by the same command.\n\n"
    + OVERRIDES,
    "examples:\n\n"
    "  mixerlab run recall --scale smoke\n"
    "  mixerlab run recall --only attention gru --training.steps 500\n"
    "  mixerlab run recall --mixer my_package.my_file:MyMixer",
  )
  add_selection(result)
  result.add_argument(
    "--only", nargs="+", default=[], metavar="VARIANT",
    help="run these variants alone, and drop the claims about others",
  )  # fmt: skip
  result.add_argument(
    "--seeds", type=int, metavar="N",
    help="the number of seeds; a claim is decided by 5 or more",
  )  # fmt: skip
  result.add_argument(
    "--out", metavar="DIR", help="the folder of the run itself"
  )
  result.add_argument(
    "--fresh", action="store_true",
    help="start anew instead of continuing; removes the run that DIR holds",
  )  # fmt: skip
  result.add_argument(
    "--tensorboard", action="store_true",
    help="also write the curves as TensorBoard event files; needs the extra "
    '"tensorboard"',
  )  # fmt: skip
  result.add_argument(
    "--distributed", action="store_true",
    help="this process is one of several, on one or more hosts, that share "
    "the run; each is started with the same command",
  )  # fmt: skip
  result.add_argument(
    "-q", "--quiet", action="store_true", help="print the final table alone"
  )
  return result


def main(arguments: list[str]) -> int:
  """Runs, reports, and prints what came out."""
  if {"-h", "--help"} & set(arguments):
    return _help(arguments)
  options, paths = parse(parser(), arguments)
  if options.tensorboard and not importlib.util.find_spec("tensorboardX"):
    raise ValueError(
      "--tensorboard needs tensorboardX; allowed: install the extra, as in "
      "pip install 'mixerlab[tensorboard]'"
    )
  with joined(options.distributed):
    return _run(options, paths, _repeat(arguments))


def _run(options: Namespace, paths: list[str], command: str) -> int:
  from research.command.sources import select

  experiment = select(
    options, paths, only=tuple(options.only), seeds=options.seeds
  )
  from research.command.progress import watch
  from research.processes import by_first, is_first
  from research.run import Interrupted

  try:
    comparison = watch(
      experiment,
      command=command,
      out=options.out,
      fresh=options.fresh,
      quiet=options.quiet or not is_first(),
    )
  except Interrupted as stop:
    done = "Stopped" if experiment.lengths else "Stopped and saved"
    if is_first():
      print(
        f"{done} in {stop.folder}. This goes on:\n  {command}",
        file=sys.stderr,
      )
    return 128 + stop.signal
  by_first(lambda: _tell(comparison, options, command))
  return 0


def _tell(comparison: Any, options: Namespace, command: str) -> None:
  """Writes what was asked for, and prints what came out."""
  from research.command.telling import tell

  if options.tensorboard:
    from research.report.tensorboard import write_events

    write_events(comparison.folder)
  tell(comparison, command, quiet=options.quiet)


def _help(arguments: list[str]) -> int:
  """The help of the verb, and the paths of an experiment that is named."""
  print(parser().format_help().rstrip())
  if not arguments[0].startswith("-"):
    own = [one for one in arguments if one not in ("-h", "--help")]
    options, paths = parse(parser(), own)
    print()
    if not importlib.util.find_spec("tyro"):
      print("The paths of its fields need tyro; `show` prints them as well.")
      return 0
    from research.command.overrides import print_help
    from research.command.sources import select

    print_help(select(options, paths), f"mixerlab run {options.name}")
  return 0


def _repeat(arguments: list[str]) -> str:
  """The command that repeats a run, or goes on with it."""
  kept = [argument for argument in arguments if argument != "--fresh"]
  return f"python -m experiments run {shlex.join(kept)}"
