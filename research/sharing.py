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
  is made of it again has two.

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
    return value if same else tuple(items)
  if not is_record(value):
    return value
  inside = _modules(value)
  if inside & seen:
    value = _copy(value)
    inside = _modules(value)
  seen |= inside
  return value


def _modules(record: Any) -> set[int]:
  return {id(x) for _, x in walk(record) if isinstance(x, nn.Module)}


def _copy(value: Any) -> Any:
  """A copy whose modules are copies, too."""
  if isinstance(value, tuple):
    return tuple(map(_copy, value))
  if not is_record(value):
    return value
  fields = {name: _copy(getattr(value, name)) for name in names(value)}
  if isinstance(value, nn.Module):
    return value.copy(parent=None, **fields)
  return dataclasses.replace(value, **fields)
