"""Modules that stand in several places of one record."""

import dataclasses
from typing import Any

import flax.linen as nn

from research.record import names, walk


def unshare(record: Any) -> None:
  """Gives each place a module of its own, where several had the same.

  Linen makes one module, with one set of parameters and one cache, of an
  object that stands in two places. A record tells values and no sharing: what
  is made of it again has two. Modules that have a parent are no records, and
  are shared as Linen says.

  Args:
    record: a module, before Linen looks at its fields.
  """
  values = {name: getattr(record, name) for name in names(record)}
  modules = _modules(tuple(values.values()))
  if len({*modules}) < len(modules):
    for name, value in values.items():
      setattr(record, name, _copy(value))


def _modules(value: Any) -> list[int]:
  """Of every place inside that has a module, which it is."""
  return [id(x) for _, x in walk(value) if isinstance(x, nn.Module)]


def _copy(value: Any) -> Any:
  """A copy whose modules are copies; itself, where there are none."""
  owned = isinstance(value, nn.Module) and value.parent is not None
  if owned or not _modules(value):
    return value
  if isinstance(value, tuple):
    items = map(_copy, value)
    named = hasattr(value, "_fields")
    return type(value)(*items) if named else tuple(items)
  fields = {name: _copy(getattr(value, name)) for name in names(value)}
  if isinstance(value, nn.Module):
    return value.copy(parent=None, **fields)
  return dataclasses.replace(value, **fields)
