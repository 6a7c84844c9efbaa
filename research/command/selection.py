"""The arguments that say which experiment is meant: of `run` and `show`."""

import argparse
import re

from research.command import pages
from research.command.arguments import SCALES, Parser

_PATH = re.compile(r"--[A-Za-z_]\w*\.")

OVERRIDES = """
Every field of the experiment can be overridden by its path, as `show NAME`
prints it: of the base by --task.FIELD, --model.FIELD, --training.FIELD, of one
variant by --variants.VARIANT.model.mixer.FIELD and the like. Values are typed
and checked; paths stand behind NAME. `run NAME --help` names them all. They
need tyro, which the extra "command" installs.
"""


def add_selection(parser: Parser) -> None:
  """Adds the arguments that say which experiment is meant."""
  parser.add_argument(
    "name", metavar="NAME", help="an experiment, or the file experiment.json "
    "of a run",
  )  # fmt: skip
  parser.add_argument(
    "--scale",
    choices=SCALES,
    help="its size: seconds, minutes on 2 cores (the default), or as in the "
    "papers",
  )
  parser.add_argument(
    "--mixer",
    action="append",
    default=[],
    metavar="PATH:CLASS",
    help="add a variant with a mixer of your own, as "
    "'my_package.my_file:MyMixer(heads=2)'; named after the class, or as in "
    "'name=my_package.my_file:MyMixer'. A field may be a class again, as in "
    "'research.attention.layer:Attention(score=my_file:MyScore)'. In an "
    "encoder-decoder it is the decoder's self-attention that is replaced. "
    "May be given again",
  )
  parser.add_argument(
    "--encoder-mixer",
    action="append",
    default=[],
    metavar="PATH:CLASS",
    help="the same in an encoder; of one name with a --mixer it is one variant",
  )
  parser.add_argument(
    "--task",
    metavar="PATH:CLASS",
    help="put a task of your own in the place of the page's; its claims, "
    "bounds and further test tasks are then left out",
  )


def parse(
  parser: Parser, arguments: list[str]
) -> tuple[argparse.Namespace, list[str]]:
  """The options of a verb, and the arguments that override by path.

  Raises:
    ValueError: what the parser refuses, or an unknown experiment.
  """
  own, paths = split(arguments)
  options = parser.parse_args(own)
  if not options.name.endswith(".json"):
    pages.check(options.name)  # Before anything heavy is imported.
  return options, paths


def split(arguments: list[str]) -> tuple[list[str], list[str]]:
  """The arguments of the verb, and those that override fields by path."""
  own: list[str] = []
  paths: list[str] = []
  into = own
  for argument in arguments:
    if argument.startswith("-") and not _is_number(argument):
      into = paths if _PATH.match(argument) else own
    into.append(argument)
  return own, paths


def _is_number(argument: str) -> bool:
  try:
    float(argument)
  except ValueError:
    return False
  return True
