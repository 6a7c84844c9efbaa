"""The pages and reference results, by name; nothing of them is imported."""

import importlib.util
import pathlib

from research.record import suggest
from research.results import read_json

RESULTS = pathlib.Path("results")
"""Where runs are kept, in the current folder."""


def folder() -> pathlib.Path:
  """The folder of the pages."""
  spec = importlib.util.find_spec("experiments")
  assert spec is not None and spec.origin is not None
  return pathlib.Path(spec.origin).parent


def names() -> list[str]:
  """The names of the pages."""
  return sorted(
    file.stem for file in folder().glob("*.py") if file.stem[0] != "_"
  )


def check(name: str) -> str:
  """`name`, if it is a page.

  Raises:
    ValueError: it is none; close names are suggested.
  """
  if name not in names():
    raise ValueError(f"experiment = {name!r}; {suggest(name, names())}")
  return name


def references() -> dict[tuple[str, str], pathlib.Path]:
  """The folders of the reference results, by experiment and scale."""
  files = sorted((folder() / "reference").glob("*/experiment.json"))
  found = [(read_json(file), file.parent) for file in files]
  return {
    (data["experiment"]["name"], data["scale"]): place for data, place in found
  }


def reference(name: str, scale: str | None = None) -> pathlib.Path:
  """The folder of the reference results of an experiment.

  Raises:
    ValueError: there are none at this scale, or none at all.
  """
  found = references()
  scales = [kept for experiment, kept in found if experiment == name]
  if not scales:
    known = {experiment for experiment, _ in found}
    raise ValueError(
      f"experiment = {name!r} has no reference results; "
      + (suggest(name, known) if known else "there are none")
    )
  if scale is None:
    scale = "laptop" if "laptop" in scales else scales[0]
  if scale not in scales:
    raise ValueError(
      f"--scale = {scale!r} has no reference results of {name}; allowed: "
      f"{', '.join(scales)}"
    )
  return found[name, scale]
