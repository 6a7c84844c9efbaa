"""No file of a room of variants escapes its table of cases."""

import dataclasses
import importlib
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.cases import FAMILIES, mixer_cases
from tests.laws_matrix import lines, matrices

ROOT = pathlib.Path(__file__).resolve().parents[1]
ROOMS = (*FAMILIES, "heads", "normalizers", "positions", "scores", "tasks")
SHARED = {"__init__", "base", "layer", "scan", "transduction", "wrapped"}
"""What a folder shares is no variant."""


def _modules(value: Any) -> set[str]:
  """The modules of all records and classes that a table holds."""
  if isinstance(value, type):
    return {value.__module__}
  if isinstance(value, Mapping):
    return set().union(*map(_modules, value.values()))
  if isinstance(value, Sequence) and not isinstance(value, str):
    return set().union(*map(_modules, value))
  if not dataclasses.is_dataclass(value):
    return set()
  names = {field.name for field in dataclasses.fields(value)}
  inner = (getattr(value, name) for name in names - {"parent", "name"})
  return _modules(type(value)).union(*map(_modules, inner))


def escaped(room: str, files: set[str], table: Any) -> set[str]:
  """The files of a room that are not tested by its table."""
  files = {f"research.{room}.{name}" for name in files - SHARED}
  return files - _modules(table)


@pytest.mark.parametrize("room", ROOMS)
def test_every_file_has_a_line(room):
  files = {path.stem for path in (ROOT / "research" / room).glob("*.py")}
  if not files - SHARED and not (ROOT / "tests" / room / "cases.py").exists():
    return
  cases = importlib.import_module(f"tests.{room}.cases")
  table = [cases.CASES, getattr(cases, "APART", ())]
  missing = escaped(room, files, table)
  assert not missing, f"no line in tests/{room}/cases.py for {missing}"


def test_a_file_without_a_line_is_found():
  table = importlib.import_module("tests.positions.cases").CASES
  files = {"__init__", "base", "none", "learned", "rotary", "sinusoidal"}
  assert not escaped("positions", files, table)
  assert escaped("positions", files | {"absent"}, table) == {
    "research.positions.absent"
  }
  rest = {name: table[name] for name in table if "rotary" not in name}
  assert escaped("positions", files, rest) == {"research.positions.rotary"}
  assert not escaped("positions", {"rotary"}, [(rest, table["rotary"])])


def test_every_family_is_in_the_tables():
  for family in FAMILIES:
    if (ROOT / "tests" / family / "cases.py").exists():
      assert any(name.startswith(f"{family}/") for name in mixer_cases())


def test_the_matrix_counts_laws():
  node = "tests/test_laws.py::test_{}[{}]"
  rooms = matrices(
    [
      (node.format("at", "attention/causal"), "passed"),
      (node.format("stream", "steps-attention/causal"), "passed"),
      (node.format("stream", "two chunks-attention/causal"), "passed"),
      (node.format("at", "linear/elu"), "failed"),
      (node.format("packing", "linear/elu"), "xfailed"),
      ("tests/positions/test_laws.py::test_dtype[rotary]", "passed"),
      ("tests/test_masks.py::test_dense[causal]", "passed"),
      ("tests/test_laws.py::test_exceptions_name_laws", "passed"),
    ]
  )
  assert rooms == {
    "mixers": {
      "attention/causal": {"at": "1", "stream": "2"},
      "linear/elu": {"at": "F", "packing": "x"},
    },
    "positions": {"rotary": {"dtype": "1"}},
  }
  legend, head, first, second = lines(rooms["mixers"])
  assert legend == "a at, b stream, c packing"
  assert head.split() == ["a", "b", "c", "laws"]
  assert first.split() == ["attention/causal", "1", "2", "·", "2"]
  assert second.split() == ["linear/elu", "F", "·", "x", "0"]
