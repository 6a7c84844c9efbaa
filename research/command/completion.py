"""Shell completion: the whole command line described to tyro."""

import argparse
import dataclasses
import importlib.util
from typing import Annotated, Any, Literal, Union

from research.command import (
  attention,
  bench,
  catalogue,
  pages,
  report,
  run,
  show,
  verify,
)
from research.command.arguments import COMPLETION, Parser
from research.command.overrides import options, registry
from research.command.sources import load
from research.experiment import Experiment

SHELLS = ("bash", "zsh", "fish")


def print_script(arguments: list[str]) -> int:
  """Prints the script of tyro for the shell that the arguments name.

  Raises:
    ValueError: tyro is missing, or does not know the shell.
  """
  if importlib.util.find_spec("tyro") is None:
    raise ValueError(
      f"{COMPLETION} needs tyro; allowed: install the extra, as in "
      "pip install 'mixerlab[command]'"
    )
  import tyro

  shell = "".join(arguments[arguments.index(COMPLETION) + 1 :][:1])
  if shell not in SHELLS:
    raise ValueError(f"{COMPLETION} = {shell!r}; allowed: {', '.join(SHELLS)}")
  tyro.cli(
    _choice(_verbs()),
    prog="mixerlab",
    args=[COMPLETION, shell],
    use_underscores=True,
    config=(tyro.conf.AvoidSubcommands, tyro.conf.FlagCreatePairsOff),
    registry=registry(),
  )
  return 0


def _verbs() -> dict[str, Any]:
  """What may follow on what, as nested dictionaries that end in classes."""
  experiments = {name: load(name) for name in pages.names()}
  by_path = {
    verb: {
      name: _command(parser, experiment)
      for name, experiment in experiments.items()
    }
    for verb, parser in (("run", run.parser()), ("show", show.parser()))
  }
  by_name = {
    verb: {name: _command(parser) for name in experiments}
    for verb, parser in (
      ("report", report.parser()),
      ("attention", attention.parser()),
      ("verify", verify.parser()),
    )
  }
  rooms = {room: _command(None) for room in catalogue.ROOMS}
  return {
    "list": rooms,
    "bench": _command(bench.parser()),
    **by_path,
    **by_name,
  }


def _choice(tree: dict[str, Any]) -> Any:
  """The subcommands of these names."""
  from tyro.conf import arg, subcommand

  kinds = []
  for name, value in tree.items():
    if isinstance(value, dict):
      inner = _choice(value)
      inner = Annotated[inner, arg(name="")]
      value = dataclasses.make_dataclass(name, [("which", inner)])
    kinds.append(Annotated[value, subcommand(name=name)])
  return Union[tuple(kinds)]  # noqa: UP007  (made from a list)


def _command(
  parser: Parser | None, experiment: Experiment | None = None
) -> type:
  """A dataclass with the options of a verb, and the paths of a record."""
  from tyro.conf import arg

  fields = []
  for i, action in enumerate(parser.options if parser else ()):
    if action.option_strings:
      kind, default = _kind(action)
      name = action.option_strings[-1].removeprefix("--")
      kind = Annotated[kind, arg(name=name, help=str(action.help))]
      fields.append((f"option_{i}", kind, default))
  if experiment is not None:
    kind = options(experiment)
    default = dataclasses.field(default_factory=kind)
    kind = Annotated[kind, arg(name="")]
    fields.append(("paths", kind, default))
  return dataclasses.make_dataclass("Options", fields)


def _kind(action: argparse.Action) -> tuple[Any, Any]:
  """The type of an option's value, and a default that has it."""
  if action.nargs == 0:
    return bool, False
  if action.choices:
    return Literal[tuple(action.choices)], next(iter(action.choices))
  if action.nargs == "+":
    return tuple[str, ...], ()
  return str, ""
