"""Records as plain data: JSON, identity, and strict overrides by path.

A record is a frozen dataclass or an unbound Linen module. Its fields are
int, float, bool, str, Literal, tuple, record, or a function that stands in a
module under its own name; nothing else.
"""

import dataclasses
import difflib
import hashlib
import inspect
import json
import math
import numbers
import pathlib
import sys
import typing
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from research.field_types import fits, floats, shown_type
from research.import_paths import (
  find,
  find_function,
  function_path,
  import_path,
)

_PLAIN = (bool, int, float, str)
_LINEN = ("parent", "name")
"""The fields that Linen adds to every module."""


def is_record(value: Any) -> bool:
  """Whether `value` is a dataclass instance: a record or a Linen module."""
  return dataclasses.is_dataclass(value) and not isinstance(value, type)


def names(record: Any) -> list[str]:
  """The names of the fields that define a record."""
  return _names(type(record))


def to_json(value: Any, where: str = "record") -> Any:
  """A record as JSON data: {"class": import path, field: value, …}.

  A function is {"function": import path}.

  Raises:
    ValueError: a field that is none of what a record has, or a number that is
      not finite, which JSON cannot write.
  """
  if is_record(value):
    data = {"class": import_path(type(value))}
    hints = typing.get_type_hints(type(value))
    for name in names(value):
      item = floats(getattr(value, name), hints.get(name, Any))
      data[name] = to_json(item, f"{where}.{name}")
    return data
  if isinstance(value, tuple):
    return [to_json(item, f"{where}[{i}]") for i, item in enumerate(value)]
  if isinstance(value, float) and not math.isfinite(value):
    raise ValueError(f"{where} = {value!r}; allowed: finite numbers")
  if isinstance(value, _PLAIN):
    return value
  if inspect.isfunction(value):
    return {"function": function_path(value, where)}
  raise ValueError(
    f"{where} = {value!r}; allowed: int, float, bool, str, tuple, record, or "
    "a function of a module"
  )


def from_json(data: Any, where: str = "record") -> Any:
  """The record written by `to_json`.

  Raises:
    ValueError: an unknown class, function or field, a field left out that
      has no default, or a value of the wrong type.
  """
  if isinstance(data, list):
    return tuple(
      from_json(item, f"{where}[{i}]") for i, item in enumerate(data)
    )
  if not isinstance(data, dict):
    return data
  if data.keys() == {"function"}:
    return find_function(data["function"], where)
  kind = _kind(data, where)
  values = {}
  for name, value in data.items():
    if name != "class":
      _known(kind, name, where)
      value = from_json(value, f"{where}.{name}")
      values[name] = _typed(kind, name, value, f"{where}.{name}")
  for field in dataclasses.fields(kind):
    if field.name not in values and _is_required(field):
      raise ValueError(
        f"{where}: {kind.__name__} lacks the field {field.name!r}; allowed: "
        "a value for every field without a default"
      )
  return kind(**values)


def identity(value: Any) -> str:
  """Twelve hexadecimal digits that stand for everything in a record."""
  text = json.dumps(to_json(value), sort_keys=True)
  return hashlib.sha256(text.encode()).hexdigest()[:12]


def code(value: Any) -> str:
  """Twelve digits for the files of all classes and functions in a record.

  Those that they derive from are looked at, what else they import is not. A
  class that was typed into a notebook has no file.
  """
  parts: set[Any] = set()
  for _, one in _inside(value, ""):
    if is_record(one):
      parts.update(type(one).__mro__)
    elif inspect.isfunction(one):
      parts.add(one)
  modules = {sys.modules.get(part.__module__) for part in parts}
  files = {getattr(module, "__file__", None) for module in modules}
  whole = hashlib.sha256()
  for file in sorted(filter(None, files)):
    whole.update(pathlib.Path(file).read_bytes())
  return whole.hexdigest()[:12]


def override(record: Any, path: str, value: Any) -> Any:
  """A copy of `record` with the field at the dotted `path` replaced.

  Raises:
    ValueError: no such field (close names are suggested), or a wrong type.
  """
  return _override(record, path.split("."), value, path)


def walk(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
  """All records inside a record, itself first, with their paths."""
  return (found for found in _inside(value, path) if is_record(found[1]))


def check_number(
  record: Any, name: str, least: int, most: int | None = None, why: str = ""
) -> None:
  """Refuses a field that is no integer within its limits, both included.

  Args:
    record: the record.
    name: the field.
    least: the smallest value allowed.
    most: the largest; None for no limit.
    why: where the limit comes from, such as "for length = 8".

  Raises:
    ValueError: names the field, its value and the limits.
  """
  value = getattr(record, name)
  integer = type(value) is int
  if integer and least <= value and (most is None or value <= most):
    return
  allowed = f"{least} or more" if most is None else f"{least} to {most}"
  allowed = allowed if integer else f"an integer, {allowed}"
  raise ValueError(f"{name} = {value!r}; allowed: {allowed} {why}".rstrip())


def check_share(record: Any, name: str) -> None:
  """Refuses, as `check_real` does, what is no share: 0 ≤ value < 1."""
  check_real(record, name, lambda value: 0.0 <= value < 1.0, "0 to below 1")


def check_positive(record: Any, name: str) -> None:
  """Refuses, as `check_real` does, what is no finite number above 0."""
  check_real(
    record, name, lambda value: 0.0 < value < math.inf, "above 0, finite"
  )


def check_real(
  record: Any, name: str, inside: Callable[[Any], bool], allowed: str
) -> None:
  """Refuses a field that is no number, or not one that is `inside`.

  Raises:
    ValueError: names the field, its value and what is `allowed`.
  """
  value = getattr(record, name)
  real = isinstance(value, numbers.Real)
  if not (real and inside(value)):
    allowed = allowed if real else f"a number, {allowed}"
    raise ValueError(f"{name} = {value!r}; allowed: {allowed}")


def check_choice(record: Any, name: str, choices: Any) -> None:
  """Refuses a field that is none of a Literal's values.

  Raises:
    ValueError: names the field, its value and the values of the Literal.
  """
  check_literal(name, getattr(record, name), choices)


def check_literal(name: str, value: Any, choices: Any) -> None:
  """The same for any value, under the name that it was given by."""
  known = typing.get_args(choices)
  if value not in known:
    allowed = ", ".join(map(repr, known))
    raise ValueError(f"{name} = {value!r}; allowed: {allowed}")


def suggest(name: str, allowed: Iterable[str]) -> str:
  """The names that may have been meant, or all of them."""
  allowed = list(allowed)
  close = difflib.get_close_matches(name, allowed, n=3)
  if close:
    return f"did you mean {', '.join(close)}?"
  return f"allowed: {', '.join(sorted(allowed))}"


def _inside(value: Any, path: str) -> Iterator[tuple[str, Any]]:
  """All values inside a value, itself first, with their paths."""
  yield path, value
  if isinstance(value, tuple):
    for i, item in enumerate(value):
      yield from _inside(item, f"{path}.{i}".lstrip("."))
  if is_record(value):
    for name in names(value):
      yield from _inside(getattr(value, name), f"{path}.{name}".lstrip("."))


def _override(record: Any, path: list[str], value: Any, whole: str) -> Any:
  if not is_record(record):
    raise ValueError(f"{whole} goes into {record!r}, which has no fields")
  _known(type(record), path[0], whole)
  if len(path) > 1:
    value = _override(getattr(record, path[0]), path[1:], value, whole)
  value = _typed(type(record), path[0], value, whole)
  if _is_module(type(record)):
    return record.copy(parent=None, **{path[0]: value})
  return dataclasses.replace(record, **{path[0]: value})


def _kind(data: dict[str, Any], where: str) -> type:
  """The class of a record; nothing else is ever called."""
  path = data.get("class")
  if not isinstance(path, str):
    raise ValueError(f"{where}.class = {path!r}; allowed: package.module:Name")
  kind = find(path, f"{where}.class")
  if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
    raise ValueError(
      f"{where}.class = {path!r} is no record; allowed: a frozen dataclass "
      "or a Linen module"
    )
  return kind


def _names(kind: type) -> list[str]:
  hidden = _LINEN if _is_module(kind) else ()
  return [
    field.name
    for field in dataclasses.fields(kind)
    if field.init and field.name not in hidden
  ]


def _is_required(field: dataclasses.Field) -> bool:
  missing = dataclasses.MISSING
  plain = field.default is missing and field.default_factory is missing
  return field.init and plain


def _known(kind: type, name: str, where: str) -> None:
  known = _names(kind)
  if name not in known:
    raise ValueError(
      f"{where}: {kind.__name__} has no field {name!r}; {suggest(name, known)}"
    )


def _typed(kind: type, name: str, value: Any, where: str) -> Any:
  """`value` for a field, if it is of the field's type."""
  hint = typing.get_type_hints(kind).get(name, Any)
  value = floats(value, hint)
  if not fits(value, hint):
    shown = import_path(value) if inspect.isfunction(value) else repr(value)
    raise ValueError(
      f"{where} = {shown} has the wrong type; allowed: {shown_type(hint)}"
    )
  return value


def _is_module(kind: type) -> bool:
  """Whether a class is a Linen module, told without importing Linen."""
  fields = {field.name for field in dataclasses.fields(kind)}
  return {*_LINEN} <= fields and hasattr(kind, "apply")
