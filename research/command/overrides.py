"""Fields of an experiment overridden by path, read from arguments by tyro."""

import dataclasses
import importlib.util
import inspect
import keyword
import typing
from collections.abc import Callable
from typing import Any

from research.experiment import Change, Experiment, Variant
from research.import_paths import find_function, import_path
from research.record import from_json, is_record, names, override, to_json

BASE = ("task", "model", "training")
"""The parts of an experiment that a path may begin with."""


def override_by_path(
  experiment: Experiment, arguments: list[str], program: str
) -> Experiment:
  """The experiment with the fields replaced that the arguments name.

  Args:
    experiment: whose record gives paths, types and defaults.
    arguments: as `--training.steps 500 --variants.gru.model.width 32`.
    program: the command in tyro's messages.

  Raises:
    ValueError: tyro is missing, or a value that is not allowed together
      with the others.
    SystemExit: tyro's own messages, with code 2, or its help, with 0.
  """
  if not arguments:
    return experiment
  tree = _tree(experiment, arguments)
  parsed = _parse(tree, arguments, program)
  options = [a[2:].partition("=")[0] for a in arguments if a[:2] == "--"]
  return apply(
    experiment, dict(_value(tree, parsed, option) for option in options)
  )


def apply(experiment: Experiment, values: dict[str, Any]) -> Experiment:
  """The experiment with the values at these paths.

  All values of one record are put in at once: a longer task with more pairs
  need not be a legal one in between.

  Raises:
    ValueError: a wrong type, a value that is not allowed, or a field of the
      base that every variant has replaced.
  """
  for part in BASE:
    inside = _below(values, part)
    if inside:
      _check_used(experiment, [f"{part}.{path}" for path in inside])
      new = _replaced(getattr(experiment, part), inside, part)
      experiment = override(experiment, part, new)
  changes = tuple(
    _changed(change, _below(values, f"variants.{change.name}"))
    for change in experiment.variants
  )
  return dataclasses.replace(experiment, variants=changes)


def print_help(experiment: Experiment, program: str) -> None:
  """Prints the paths with types, meanings and defaults, as tyro does."""
  try:
    _parse(_tree(experiment, []), ["--help"], program)
  except SystemExit:
    return


def options(experiment: Experiment) -> Any:
  """The dataclass that tyro makes the options of an experiment from."""
  return _dataclass("Overrides", _tree(experiment, []))


def registry() -> Any:
  """Tells tyro that a function is given by its import path."""
  from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec

  spec = PrimitiveConstructorSpec(
    nargs=1,
    metavar="PACKAGE.MODULE:NAME",
    instance_from_str=lambda words: find_function(words[0]),
    is_instance=inspect.isfunction,
    str_from_instance=lambda function: [import_path(function)],
  )
  known = ConstructorRegistry()
  known.primitive_rule(
    lambda info: spec if info.type_origin is Callable else None
  )
  return known


@dataclasses.dataclass(frozen=True)
class _Leaf:
  """A field that is no record: its type and its value."""

  hint: Any
  value: Any


def _parse(tree: dict[str, Any], arguments: list[str], program: str) -> Any:
  if importlib.util.find_spec("tyro") is None:
    raise ValueError(
      f"{arguments[0]} needs tyro; allowed: install the extra, as in "
      "pip install 'mixerlab[command]'"
    )
  import tyro

  return tyro.cli(
    _dataclass("Overrides", tree),
    args=arguments,
    prog=program,
    description="Every field of the experiment, by its path.",
    use_underscores=True,
    config=(tyro.conf.AvoidSubcommands,),
    registry=registry(),
  )


def _tree(experiment: Experiment, arguments: list[str]) -> dict[str, Any]:
  """Records and leaves by path: the base, and what each variant changes.

  A variant that the arguments name has all its fields.
  """
  named = {a.split(".")[1] for a in arguments if a.startswith("--variants.")}
  named = {name.replace("-", "_") for name in named}
  tree: dict[str, Any] = {
    name: _opened(getattr(experiment, name)) for name in BASE
  }
  tree["variants"] = {}
  for change in experiment.variants:
    variant = experiment.variant(change.name)
    if change.name.replace("-", "_") in named:
      whole = {name: _opened(getattr(variant, name)) for name in BASE}
      tree["variants"][change.name] = whole
    else:
      tree["variants"][change.name] = _changes(variant, change)
  return tree


def _changes(variant: Variant, change: Change) -> dict[str, Any]:
  """The tree of what a change replaces."""
  tree: dict[str, Any] = {}
  paths = {path for path, _ in change.fields}
  for path in sorted(paths):
    *above, last = path.split(".")
    if any(".".join(above[:i]) in paths for i in range(1, len(above) + 1)):
      continue  # It stands within another one.
    record: Any = variant
    node = tree
    for name in above:
      record = getattr(record, name)
      node = node.setdefault(name, {})
    value = getattr(record, last)
    hint = typing.get_type_hints(type(record))[last]
    node[last] = _opened(value) if is_record(value) else _Leaf(hint, value)
  return tree


def _opened(record: Any) -> Any:
  """The record, or its tree if a module stands where a function may stand.

  Of such a field tyro makes one option, while a module has one a field.
  """
  hints = typing.get_type_hints(type(record))
  tree: dict[str, Any] = {}
  apart = False
  for name in names(record):
    value = getattr(record, name)
    node = _opened(value) if is_record(value) else _Leaf(hints[name], value)
    loose = typing.get_origin(hints[name]) is Callable and is_record(value)
    apart |= loose or isinstance(node, dict)
    tree[name] = node
  return tree if apart else record


def _dataclass(title: str, tree: dict[str, Any]) -> Any:
  """A dataclass with a field for each name, in order, nested as the tree is.

  A name need not be an identifier; the field is then called otherwise.
  """
  from tyro.conf import arg

  fields = []
  for i, (name, value) in enumerate(tree.items()):
    if isinstance(value, dict):
      kind = _dataclass(name, value)
      default = dataclasses.field(default_factory=kind)
    elif isinstance(value, _Leaf):
      kind, default = value.hint, dataclasses.field(default=value.value)
    else:
      kind = type(value)
      default = dataclasses.field(default_factory=_giving(value))
    kind = typing.Annotated[kind, arg(name=name)]
    safe = name.isidentifier() and not keyword.iskeyword(name)
    fields.append((name if safe else f"field_{i}", kind, default))
  return dataclasses.make_dataclass(title, fields)


def _giving(value: Any) -> Callable[[], Any]:
  return lambda: value


def _value(tree: Any, parsed: Any, option: str) -> tuple[str, Any]:
  """The path that an option means, and its parsed value."""
  path = []
  for part in option.replace("-", "_").split("."):
    if isinstance(tree, dict):
      known = {name.replace("-", "_"): name for name in tree}
      name = known.get(part) or known[part.removeprefix("no_")]
      field = dataclasses.fields(parsed)[list(tree).index(name)]
      parsed = getattr(parsed, field.name)
      tree = tree[name]
    elif isinstance(parsed, tuple):
      name, parsed = part, parsed[int(part)]
    else:
      name = part if hasattr(parsed, part) else part.removeprefix("no_")
      parsed = getattr(parsed, name)
    path.append(name)
  return ".".join(path), parsed


def _below(values: dict[str, Any], prefix: str) -> dict[str, Any]:
  """The values whose paths begin with `prefix`, by the rest of the path."""
  return {
    path.removeprefix(f"{prefix}."): value
    for path, value in values.items()
    if path.startswith(f"{prefix}.")
  }


def _replaced(record: Any, values: dict[str, Any], where: str) -> Any:
  """The record with the values at these paths, all put in at once."""
  data = to_json(record)
  for path, value in values.items():
    *above, last = path.split(".")
    node = data
    for name in above:
      node = node[int(name)] if isinstance(node, list) else node[name]
    node[last] = to_json(value)
  return from_json(data, where)


def _changed(change: Change, values: dict[str, Any]) -> Change:
  """The change with these values put into what it replaces, or added."""
  if not values:
    return change
  fields = dict(change.fields)
  for own in fields:
    inside = _below(values, own)
    later = [path for path in fields if path.startswith(f"{own}.")]
    if inside and not later:
      fields[own] = _replaced(fields[own], inside, own)
      values = {p: v for p, v in values.items() if not p.startswith(f"{own}.")}
  return dataclasses.replace(change, fields=tuple({**fields, **values}.items()))


def is_replaced(experiment: Experiment, path: str) -> bool:
  """Whether every variant has replaced a path of the base."""
  return all(
    any(f"{path}.".startswith(f"{own}.") for own, _ in change.fields)
    for change in experiment.variants
  )


def _check_used(experiment: Experiment, paths: list[str]) -> None:
  """Refuses a path of the base that every variant has replaced."""
  for path in paths:
    if is_replaced(experiment, path):
      name = experiment.variants[0].name
      raise ValueError(
        f"{path} changes no variant, as each has its own; allowed: "
        f"--variants.{name}.{path} and the like"
      )
