"""The types of a record's fields, and the values that are of a type."""

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


def shown_type(hint: Any) -> str:
  """What a field of this type may hold, in words."""
  if typing.get_origin(hint) is typing.Literal:
    return ", ".join(map(repr, typing.get_args(hint)))
  if typing.get_origin(hint) is Callable:
    return "a function, or a module that can be called"
  return hint.__name__ if type(hint) is type else str(hint)


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
