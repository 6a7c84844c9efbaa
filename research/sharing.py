"""Modules that stand in several places of one record."""

import dataclasses
import operator
from typing import Any

import flax.linen as nn

from research.record import is_record, names, walk


def unshare(record: Any) -> None:
  """Gives each place in a record a module of its own.

  Linen makes one module, with one set of parameters and one cache, of an
  object that stands in two places. A record tells values and no sharing: what
  is made of it again has two. Modules that have a parent are no records, and
  are shared as Linen says.

  Args:
    record: a module, before Linen looks at its fields.
  """
  seen: set[int] = set()
  for name in names(record):
    value = getattr(record, name)
    own = _unseen(value, seen)
    if own is not value:
      setattr(record, name, own)


def _unseen(value: Any, seen: set[int]) -> Any:
  """The value, added to what was `seen`; a copy if a module within was."""
  if isinstance(value, tuple):
    items = [_unseen(item, seen) for item in value]
    same = all(map(operator.is_, items, value))
    return value if same else _tuple(value, items)
  if not is_record(value):
    return value
  inside = _modules(value)
  if len({*inside} - seen) < len(inside):
    value = _copy(value)
    inside = _modules(value)
  seen.update(inside)
  return value


def _modules(value: Any) -> list[int]:
  """Of every place inside that has a module without a parent, which it is."""
  modules = (x for _, x in walk(value) if isinstance(x, nn.Module))
  return [id(x) for x in modules if x.parent is None]


def _tuple(like: tuple, items: list[Any]) -> Any:
  named = hasattr(like, "_fields")
  return type(like)(*items) if named else tuple(items)


def _copy(value: Any) -> Any:
  """A copy whose modules are copies, too."""
  if not _modules(value):
    return value
  if isinstance(value, tuple):
    return _tuple(value, [*map(_copy, value)])
  fields = {name: _copy(getattr(value, name)) for name in names(value)}
  if isinstance(value, nn.Module):
    return value.copy(parent=None, **fields)
  return dataclasses.replace(value, **fields)
