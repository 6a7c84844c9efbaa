"""The files of a run: written by one process, read back and checked.

`docs/results.md` says what every file holds; it is a public format.
"""

import csv
import dataclasses
import json
import math
import os
import pathlib
import typing
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from research.field_types import fits

VERSION = 1

PART = ".part"
"""Ends the name of a file that is still being written."""


@dataclasses.dataclass(frozen=True)
class Row:
  """One variant × task × slice × metric, over seeds, and what it cost."""

  variant: str
  task: str
  slice: str
  metric: str
  mean: float
  low: float
  high: float
  values: tuple[float, ...]
  learning_rate: float
  parameters: int
  state_size: int
  flops_per_example: float
  temporary_bytes: int
  compile_seconds: float
  train_seconds: float
  examples_per_second: float
  steps: int


@dataclasses.dataclass(frozen=True)
class VerdictRow:
  """What came out of one claim."""

  claim: str
  verdict: str
  estimate: float
  low: float
  high: float
  text: str
  smallest_effect: float
  unit: str
  seeds: int
  seeds_needed: int | None


@dataclasses.dataclass(frozen=True)
class Summary:
  """All numbers of a run."""

  rows: tuple[Row, ...]
  verdicts: tuple[VerdictRow, ...]

  def find(
    self,
    variant: str,
    task: str = "test",
    slice: str = "all",
    metric: str = "accuracy",
  ) -> Row | None:
    """The row of these four names, or None."""
    wanted = (variant, task, slice, metric)
    for row in self.rows:
      if (row.variant, row.task, row.slice, row.metric) == wanted:
        return row
    return None


def write_summary(folder: pathlib.Path, summary: Summary) -> None:
  """Writes `summary.csv` and `summary.json`, each whole or not at all.

  `summary.json` comes last: a run that has one is finished.
  """
  data = {
    "version": VERSION,
    "rows": [dataclasses.asdict(row) for row in summary.rows],
    "verdicts": [dataclasses.asdict(row) for row in summary.verdicts],
  }
  columns = [field.name for field in dataclasses.fields(Row)]
  lines = [columns]
  for row in summary.rows:
    cells = [getattr(row, name) for name in columns]
    lines.append(
      [";".join(map(repr, c)) if isinstance(c, tuple) else c for c in cells]
    )
  with atomic(folder / "summary.csv") as file:
    csv.writer(file, lineterminator="\n").writerows(lines)
  write_json(folder / "summary.json", data)


def read_summary(folder: pathlib.Path) -> Summary:
  """Reads `summary.json` back.

  Raises:
    ValueError: missing, damaged, of another version, lacking a key, or with
      a value of the wrong type.
  """
  path = folder / "summary.json"
  data = read_versioned(path)
  return Summary(
    _rows(Row, data, "rows", path), _rows(VerdictRow, data, "verdicts", path)
  )


def write_json(path: pathlib.Path, data: Any) -> None:
  """Writes JSON, whole or not at all; NaN and infinity become null."""
  with atomic(path) as file:
    json.dump(finite(data), file, indent=1, allow_nan=False)
    file.write("\n")


def read_json(path: pathlib.Path) -> Any:
  """Reads JSON.

  Raises:
    ValueError: the file is missing or damaged.
  """
  try:
    return json.loads(path.read_text(encoding="utf-8"))
  except OSError as error:
    raise ValueError(f"{path} cannot be read: {error.strerror}") from error
  except ValueError as error:
    raise ValueError(f"{path} is damaged: {error}") from error


def read_versioned(path: pathlib.Path) -> dict[str, Any]:
  """Reads a JSON object that names the version of its format.

  Raises:
    ValueError: missing, damaged, or of another version.
  """
  data = read_json(path)
  if not isinstance(data, dict) or data.get("version") != VERSION:
    found = data.get("version") if isinstance(data, dict) else data
    raise ValueError(f"{path}: version = {found!r}; allowed: {VERSION}")
  return data


@contextmanager
def atomic(path: pathlib.Path) -> Iterator[TextIO]:
  """A text file that appears whole when the block ends without an error."""
  part = path.with_name(f"{path.name}{PART}")
  try:
    with part.open("w", encoding="utf-8", newline="") as file:
      yield file
      file.flush()
      os.fsync(file.fileno())
    part.replace(path)
  finally:
    part.unlink(missing_ok=True)


def finite(data: Any) -> Any:
  """The data with None, JSON's null, for numbers that are not finite."""
  if isinstance(data, float) and not math.isfinite(data):
    return None
  if isinstance(data, dict):
    return {key: finite(value) for key, value in data.items()}
  if isinstance(data, list | tuple):
    return [finite(value) for value in data]
  return data


def with_nan(data: Any) -> Any:
  """The data with NaN for null in lists, as `finite` had lists of numbers."""
  if isinstance(data, dict):
    return {key: with_nan(value) for key, value in data.items()}
  if isinstance(data, list):
    return [math.nan if item is None else with_nan(item) for item in data]
  return data


def _rows(kind: Any, data: dict[str, Any], key: str, path: Any) -> tuple:
  rows = data.get(key)
  if not isinstance(rows, list):
    raise ValueError(f"{path}: {key} = {rows!r}; allowed: a list")
  return tuple(
    _row(kind, row, f"{path}: {key}[{i}]") for i, row in enumerate(rows)
  )


def _row(kind: Any, data: Any, where: str) -> Any:
  hints = typing.get_type_hints(kind)
  if not isinstance(data, dict):
    raise ValueError(f"{where} = {data!r}; allowed: an object")
  values = {}
  for name, hint in hints.items():
    if name not in data:
      raise ValueError(f"{where} lacks {name!r}; allowed: {[*hints]}")
    values[name] = value = _nan(data[name], hint)
    if not fits(value, hint):
      raise ValueError(
        f"{where}.{name} = {value!r} has the wrong type; allowed: {hint}"
      )
  return kind(**values)


def _nan(value: Any, hint: Any) -> Any:
  """NaN where null stands for a float."""
  if isinstance(value, list):
    return tuple(_nan(item, float) for item in value)
  return math.nan if value is None and hint is float else value
