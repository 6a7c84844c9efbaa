"""`mixerlab show`: what an experiment consists of, and what it costs."""

import shutil

from research.command.arguments import Parser
from research.command.selection import OVERRIDES, add_selection, parse


def parser() -> Parser:
  """The arguments of the verb, without the overrides by path."""
  result = Parser(
    "show",
    "Prints the record of an experiment, each field with the path by which "
    "it can be overridden, its claims and test tasks, and for each variant "
    "its parameters, the numbers carried to the next token (state), and the "
    "FLOPs of a training step for one example. With --model it is the whole "
    "record of one variant; this one is also compiled, which takes seconds, "
    "to tell the temporary memory of training all its members.\n\n" + OVERRIDES,
    "examples:\n\n"
    "  mixerlab show recall\n"
    "  mixerlab show recall --model gru --training.batch 256",
  )
  add_selection(result)
  result.add_argument(
    "--model",
    metavar="VARIANT",
    help="one variant: its whole record, its memory, how it is evaluated",
  )
  return result


def main(arguments: list[str]) -> int:
  """Prints the record and the costs."""
  options, paths = parse(parser(), arguments)
  from research.command.sources import select

  experiment = select(options, paths)
  from research.command import details

  if options.model:
    names = [options.model]
    lines = details.variant_lines(experiment.variant(options.model))
  else:
    names = experiment.names()
    lines = details.experiment_lines(
      experiment, shutil.get_terminal_size().columns
    )
  print("\n".join(lines), end="\n\n")
  details.print_costs(experiment, names)
  if options.model:
    details.print_memory(experiment, options.model)
    variant = experiment.variant(options.model)
    details.print_forms(variant, experiment.lengths)
  else:
    print("\n--model VARIANT shows one whole, and the memory it takes.")
  return 0
