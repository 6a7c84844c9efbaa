"""Compilations as what is counted: how often a program is made in a second."""

from collections.abc import Callable
from typing import Any

import jax
from jax.experimental.compilation_cache import compilation_cache


def compilations(
  program: Callable[..., Any], *arguments: Any
) -> Callable[[int], int]:
  """A function that makes the program anew so often, and tells how often.

  From tracing on, with nothing kept: neither by JAX in this process nor on
  disk. To be called in a process of its own.

  Args:
    program: what is compiled.
    arguments: its arguments, or their shapes.
  """
  jax.config.update("jax_enable_compilation_cache", False)
  compilation_cache.reset_cache()  # read once: at the first compilation

  def calls(number: int) -> int:
    for _ in range(number):
      jax.clear_caches()
      jax.jit(program).lower(*arguments).compile()
    return number

  return calls
