"""The types of a record's fields, and the values that are of a type."""

import dataclasses
import functools
import inspect
import types
import typing
from collections.abc import Callable
from typing import Any


def fits(value: Any, hint: Any) -> bool:
  """Whether a value is of a field's type; an int is a float, too."""
  origin, inner = typing.get_origin(hint), typing.get_args(hint)
  if hint is Any:
    return True
  if origin is typing.Literal:
    return value in inner
  if origin in (typing.Union, types.UnionType):
    return any(fits(value, option) for option in inner)
  if origin is tuple:
    if not isinstance(value, tuple):
      return False
    if len(inner) == 2 and inner[1] is Ellipsis:
      return all(fits(item, inner[0]) for item in value)
    return len(value) == len(inner) and all(map(fits, value, inner))
  if origin is Callable:
    return callable(value)
  if hint is float:
    return type(value) in (int, float)
  if hint in (int, bool, str):
    return type(value) is hint
  return not isinstance(hint, type) or isinstance(value, hint)


def check_types(record: Any, *names: str) -> None:
  """Refuses fields of a record that are not of their types.

  Raises:
    ValueError: names the field, its value and what its type allows.
  """
  kind: Any = type(record)
  for name in names:
    value, hint = getattr(record, name), _hint(kind, name)
    if not fits(value, hint):
      made = dataclasses.is_dataclass(value) and not isinstance(value, type)
      shown = type(value).__name__ if made else repr(value)
      raise ValueError(f"{name} = {shown}; allowed: {shown_type(hint)}")


@functools.lru_cache
def _hint(kind: Any, name: str) -> Any:
  """The type of a field, told by the class that declares it.

  What a subclass adds may have types that cannot be found, as those of a
  function's own classes.
  """
  owner = next(k for k in kind.__mro__ if name in inspect.get_annotations(k))
  return typing.get_type_hints(owner)[name]


def shown_type(hint: Any) -> str:
  """What a field of this type may hold, and where that is to be found."""
  origin, inner = typing.get_origin(hint), typing.get_args(hint)
  if origin is typing.Literal:
    return ", ".join(map(repr, inner))
  if origin is Callable:
    return "a function, or a module that can be called"
  if hint is bool:
    return "True or False"
  whole = origin in (typing.Union, types.UnionType)
  return " or ".join(map(_named, inner if whole else (hint,)))


def _named(kind: Any) -> str:
  if not isinstance(kind, type):
    return str(kind)
  if kind.__module__ == "builtins":
    return kind.__name__
  article = "an" if kind.__name__[0] in "AEIOU" else "a"
  return f"{article} {kind.__name__} of {kind.__module__}"


def floats(value: Any, hint: Any) -> Any:
  """Ints made floats where a field has floats: 1 and 1.0 are one record."""
  if hint is float and type(value) is int:
    return float(value)
  if typing.get_origin(hint) is tuple and isinstance(value, tuple):
    inner = typing.get_args(hint)
    kinds = inner[:1] * len(value) if inner[-1:] == (...,) else inner
    if len(kinds) == len(value):
      return tuple(map(floats, value, kinds))
  return value
