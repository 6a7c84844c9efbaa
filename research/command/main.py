"""The command `mixerlab`: finds the verb, and tells errors in one line."""

import importlib
import importlib.metadata
import os
import shutil
import sys
import textwrap

from research.command import allocator, device
from research.command.arguments import COMPLETION
from research.record import suggest

VERBS = {
  "list": "the experiments, and the parts they are made of",
  "show": "what an experiment consists of, and what its variants cost",
  "run": "run an experiment and report what came out",
  "report": "write the report of a run again",
  "attention": "the attention maps of a trained model for one example",
  "verify": "run a reference experiment again and compare the results",
  "bench": "measure speed on this machine",
}
"""A file of this folder each, with `main(arguments) -> exit code`."""

_ABOUT = (
  "Compares sequence mixers (attention, convolutions, recurrences): trains "
  "them all on one question and says which does better, by how much, at what "
  "cost, and how sure that is."
)
_MORE = (
  "`mixerlab VERB --help` says more about a verb. `python -m experiments` is "
  "the same command. `mixerlab --version` prints the version.",
  f"`mixerlab {COMPLETION} bash` (or zsh, fish) prints a script that lets the "
  "shell complete verbs, experiments, options and paths of fields; it needs "
  'the extra "command": source <(mixerlab ' + COMPLETION + " bash)",
  "Wrong input ends with one line and exit code 2. MIXERLAB_TRACEBACK=1 in "
  "the environment shows where an error came from.",
)


def main(arguments: list[str] | None = None) -> int:
  """Runs one verb.

  Args:
    arguments: of the command line; None for those of the process.

  Returns:
    The exit code: 0, 1 where `verify` found differences, 2 for wrong input,
    128 + the signal where the user stopped it.
  """
  arguments = sys.argv[1:] if arguments is None else arguments
  try:
    _prepare()
    code = _dispatch(arguments)
    sys.stdout.flush()  # A reader that has gone is noticed here, not later.
    return code
  except SystemExit as end:  # argparse and tyro leave by it
    if end.code is None:
      return 0
    return end.code if isinstance(end.code, int) else 2
  except (ValueError, OSError) as error:
    if os.environ.get("MIXERLAB_TRACEBACK"):
      raise
    if isinstance(error, BrokenPipeError):
      return _reader_has_gone()
    print(f"mixerlab: error: {_line(error)}", file=sys.stderr)
    return 2
  except KeyboardInterrupt:
    print("mixerlab: stopped", file=sys.stderr)
    return 130


def _dispatch(arguments: list[str]) -> int:
  if COMPLETION in arguments:
    from research.command.completion import print_script

    return print_script(arguments)
  if not arguments or arguments[0] in ("-h", "--help"):
    print(_help(shutil.get_terminal_size().columns))
    return 0
  verb, rest = arguments[0], arguments[1:]
  if verb == "--version":
    print(f"mixerlab {importlib.metadata.version('mixerlab')}")
    return 0
  if verb not in VERBS:
    raise ValueError(f"verb = {verb!r}; {suggest(verb, VERBS)}")
  return importlib.import_module(f"research.command.{verb}").main(rest)


def _prepare() -> None:
  """What has to happen before jax and the user's own files are imported."""
  if "jax" not in sys.modules:
    allocator.keep_pages()
    device.prepare()
  # The pages are found first, so that a folder `experiments` of the user's
  # does not hide them; then files of the current folder, as `python -m` does.
  importlib.import_module("experiments")
  if not {"", os.getcwd()} & set(sys.path[:1]):
    sys.path.insert(0, os.getcwd())


def _help(width: int) -> str:
  column = max(map(len, VERBS)) + 2
  verbs = [
    textwrap.fill(text, width, initial_indent=f"  {verb:{column}}",
                  subsequent_indent=" " * (column + 2))
    for verb, text in VERBS.items()
  ]  # fmt: skip
  parts = [
    "usage: mixerlab VERB ...",
    textwrap.fill(_ABOUT, width),
    "\n".join(["verbs:", *verbs]),
    *(textwrap.fill(part, width, break_on_hyphens=False) for part in _MORE),
    "example:\n  mixerlab run recall --scale smoke",
  ]
  return "\n\n".join(parts)


def _line(error: Exception) -> str:
  if isinstance(error, OSError) and error.filename is not None:
    return f"{error.filename}: {error.strerror}"
  return " ".join(str(error).split()) or type(error).__name__


def _reader_has_gone() -> int:
  """Ends quietly, as `mixerlab list | head` wants."""
  os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
  return 141
