"""Mixers and tasks of one's own, named by their import path."""

import ast
import dataclasses
import inspect
import re
from collections.abc import Sequence
from typing import Any

from research.command.overrides import is_replaced
from research.experiment import Change, Experiment
from research.import_paths import find
from research.mixer import Mixer
from research.models.encoder_decoder import EncoderDecoder
from research.record import from_json, names, override
from research.tasks.base import Task

_FORM = re.compile(
  r"(?:(?P<name>[\w-]+)=)?(?P<path>[\w.]+:[\w.]+)(?:\((?P<fields>.*)\))?",
  re.S,
)
_PATH = re.compile(r"""('[^']*'|"[^"]*")|([A-Za-z_][\w.]*:[A-Za-z_][\w.]*)""")
"""A string, which is left as it is, or an import path."""


def add_mixers(
  experiment: Experiment, mixers: Sequence[str], encoders: Sequence[str] = ()
) -> Experiment:
  """The experiment with more variants: its base with other mixers.

  In an encoder–decoder these are in place of self-attention; an encoder's and
  a decoder's of one name make one variant.

  Args:
    experiment: to add to.
    mixers: of a model, or of its decoder, each as
      `[name=]package.module:Class[(field=value, …)]`, where a value may be
      such a class again, or a function, `package.module:name`. Without a name
      the variant is called after the class, as `gated_delta`.
    encoders: of its encoder.

  Raises:
    ValueError: no such class or function, no mixer, a wrong field, a name in
      use, or an encoder's mixer where there is no encoder.
  """
  two = isinstance(experiment.model, EncoderDecoder)
  if encoders and not two:
    raise ValueError(
      f"--encoder-mixer = {encoders[0]!r} with a model that has no encoder; "
      "allowed: --mixer"
    )
  added: dict[str, tuple[tuple[str, Any], ...]] = {}
  for option, texts, path in (
    ("mixer", mixers, "model.decoder.mixer" if two else "model.mixer"),
    ("encoder-mixer", encoders, "model.encoder.mixer"),
  ):
    for text in texts:
      name, mixer = _build(text, option, Mixer)
      fields = added.get(name, ())
      if name in experiment.names() or path in dict(fields):
        raise ValueError(
          f"--{option} = {text!r} makes a second variant {name!r}; allowed: a "
          f"name of its own, as in --{option} 'name=package.module:Class'"
        )
      added[name] = (*fields, (path, mixer))
  changes = tuple(Change(name, fields) for name, fields in added.items())
  return dataclasses.replace(experiment, variants=experiment.variants + changes)


def replace_task(experiment: Experiment, text: str) -> Experiment:
  """The experiment on another task.

  Claims, bounds, further test tasks and the slice that figures are drawn
  over are about the task of the page, and are left out.

  Raises:
    ValueError: no such class, no task, or a wrong field; variants that all
      have a task of their own, or set a field that this one has not.
  """
  _, task = _build(text, "task", Task)
  _check_task(experiment, task, text)
  bare = dataclasses.replace(
    experiment, tests=(), claims=(), bounds=(), difficulty=""
  )
  return override(bare, "task", task)


def _check_task(experiment: Experiment, task: Task, text: str) -> None:
  if is_replaced(experiment, "task"):
    raise ValueError(
      f"--task = {text!r} changes no variant, as each has its own; allowed: "
      "on pages whose variants share a task"
    )
  for change in experiment.variants:
    for path, _ in change.fields:
      first, *rest = path.split(".")
      if first == "task" and rest and rest[0] not in names(task):
        raise ValueError(
          f"--task = {text!r}: variant {change.name!r} sets task.{rest[0]}, "
          f"which {type(task).__name__} has not; allowed: a task with this "
          "field, or --only other variants"
        )


def _build(text: str, option: str, contract: type) -> tuple[str, Any]:
  """The name and the record that an import path stands for."""
  parts = _FORM.fullmatch(text)
  if parts is None:
    raise ValueError(
      f"--{option} = {text!r}; allowed: package.module:Class, or "
      "package.module:Class(field=value)"
    )
  kind = find(parts["path"], f"--{option}")
  if not (isinstance(kind, type) and issubclass(kind, contract)):
    raise ValueError(
      f"--{option} = {text!r} is no {contract.__name__}; allowed: a class "
      f"derived from {contract.__module__}:{contract.__name__}"
    )
  fields = _fields(parts["fields"] or "", f"--{option} = {text!r}")
  record = from_json({"class": parts["path"], **fields}, f"--{option}")
  return parts["name"] or _snake(kind.__name__), record


def _fields(text: str, where: str) -> dict[str, Any]:
  """The keyword arguments of a call, as JSON has them."""
  # An import path is no Python: p.m:C(x=1) is read as _("p.m:C")(x=1).
  marked = _PATH.sub(lambda found: found[1] or f'_("{found[2]}")', text)
  try:
    match ast.parse(f"f({marked})", mode="eval").body:
      case ast.Call(func=ast.Name("f")) as call:
        return _words(call)
    raise ValueError("there is more than one pair of brackets")
  except (SyntaxError, ValueError) as error:
    raise ValueError(
      f"{where} cannot be read ({error}); allowed: (field=value, …) with "
      "numbers, strings, True, False, tuples of these, further "
      "package.module:Class(field=value), and functions, as "
      "package.module:name"
    ) from error


def _words(call: ast.Call) -> dict[str, Any]:
  if call.args:
    raise ValueError("a value has no name")
  return {str(word.arg): _value(word.value) for word in call.keywords}


def _value(node: ast.expr) -> Any:
  """A record, a function, a tuple of values, or a plain value."""
  match node:
    case ast.Tuple() | ast.List():
      return [_value(item) for item in node.elts]
    case ast.Call(ast.Name("_"), [ast.Constant(path)], []):
      return {_sort(str(path)): path}
    case ast.Call(ast.Call(ast.Name("_"), [ast.Constant(path)], [])):
      return {"class": path, **_words(node)}
  try:
    return ast.literal_eval(node)
  except ValueError:
    raise ValueError(
      f"{ast.unparse(node)} is no plain value, and no class or function, "
      "which is written package.module:Name"
    ) from None


def _sort(path: str) -> str:
  """What a path without brackets leads to."""
  try:
    return "function" if inspect.isfunction(find(path)) else "class"
  except (SyntaxError, ValueError):
    return "class"  # Nothing is found there: told later, with the field.


def _snake(name: str) -> str:
  """`GatedDelta` as `gated_delta`, `LSTM` as `lstm`."""
  words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
  return words.lower()
