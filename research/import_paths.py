"""What stands at an import path `package.module:Name`, and the way back."""

import importlib
import inspect
import sys
from typing import Any


def import_path(thing: Any) -> str:
  """`package.module:Name` of a class or a function."""
  return f"{thing.__module__}:{thing.__qualname__}"


def find(path: str, where: str = "class") -> Any:
  """What stands at the import path `package.module:Name`.

  Raises:
    ValueError: no such module or name.
  """
  module, _, name = path.partition(":")
  try:
    if not (module and name):
      raise ImportError("it lacks a module or a name")
    return getattr(importlib.import_module(module), name)
  except (ImportError, AttributeError, TypeError) as error:
    raise ValueError(
      f"{where} = {path!r} cannot be imported ({error}); allowed: "
      "package.module:Name"
    ) from error


def function_path(function: Any, where: str) -> str:
  """The import path of a function.

  Raises:
    ValueError: the function does not stand at its path.
  """
  path = import_path(function)
  module = sys.modules.get(function.__module__)
  if getattr(module, function.__qualname__, None) is not function:
    raise ValueError(
      f"{where} = {path} cannot be found again; allowed: a function that is "
      "defined at the top of a module, no lambda and no closure"
    )
  return path


def find_function(path: Any, where: str = "function") -> Any:
  """The function at an import path; it is not called.

  Raises:
    ValueError: nothing stands there, or no function with a path of its own.
  """
  found = find(path, where) if isinstance(path, str) else None
  if not inspect.isfunction(found):
    raise ValueError(
      f"{where} = {path!r} is no function; allowed: package.module:name"
    )
  function_path(found, where)
  return found
