"""Mixers and tasks of one's own, named by their import path."""

import ast
import dataclasses
import inspect
import re
from typing import Any

from research.experiment import Change, Experiment
from research.import_paths import find
from research.mixer import Mixer
from research.record import from_json, override
from research.tasks.base import Task

_FORM = re.compile(
  r"(?:(?P<name>[\w-]+)=)?(?P<path>[\w.]+:[\w.]+)(?:\((?P<fields>.*)\))?",
  re.S,
)
_PATH = re.compile(r"""('[^']*'|"[^"]*")|([A-Za-z_][\w.]*:[A-Za-z_][\w.]*)""")
"""A string, which is left as it is, or an import path."""


def add_mixer(experiment: Experiment, text: str) -> Experiment:
  """The experiment with one more variant: its base with another mixer.

  Args:
    experiment: to add to.
    text: `[name=]package.module:Class[(field=value, …)]`, where a value may
      be such a class again, or a function, `package.module:name`. Without a
      name the variant is called after the class, as `gated_delta`.

  Raises:
    ValueError: no such class or function, no mixer, a wrong field, or a name
      in use.
  """
  name, mixer = _build(text, "mixer", Mixer)
  if name in experiment.names():
    raise ValueError(
      f"--mixer = {text!r} makes a second variant {name!r}; allowed: a name "
      "of its own, as in --mixer 'name=package.module:Class'"
    )
  change = Change(name, (("model.mixer", mixer),))
  return dataclasses.replace(
    experiment, variants=(*experiment.variants, change)
  )


def replace_task(experiment: Experiment, text: str) -> Experiment:
  """The experiment on another task.

  Claims, bounds, further test tasks and the slice that figures are drawn
  over are about the task of the page, and are left out.

  Raises:
    ValueError: no such class, no task, or a wrong field.
  """
  _, task = _build(text, "task", Task)
  bare = dataclasses.replace(
    experiment, tests=(), claims=(), bounds=(), difficulty=""
  )
  return override(bare, "task", task)


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
