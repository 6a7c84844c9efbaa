"""The one table of tolerances, and the one way to use it.

An error is the largest absolute difference over the largest absolute value of
the reference, leaf by leaf. The reference is computed in float64 wherever it
can be. No test carries a bound of its own: where a bound is too narrow, the
code is mended, or the table is argued over here, once for all.
"""

import math
from typing import Any, Literal

import jax
import numpy as np

Level = Literal["core", "module", "model"]

BOUNDS: dict[str, dict[Level, float]] = {
  "float32": {"core": 2e-6, "module": 1e-5, "model": 1e-4},
  "bfloat16": {"core": 1e-2, "module": 1e-2, "model": 1e-2},
}
"""The largest error of values, by dtype and level."""

GRADIENT = 4
"""How many times the error of a value a float32 gradient may have."""


def bound(dtype: Any, level: Level, length: int, gradient: bool) -> float:
  """The largest error allowed.

  A float32 core adds up `length` numbers, whose rounding grows like
  √(length / 64); one bound covers everything in bfloat16.

  Raises:
    ValueError: the table has no line for the dtype, or no such level.
  """
  name = np.dtype(dtype).name
  if name not in BOUNDS:
    raise ValueError(f"dtype = {name} has no tolerance; allowed: {[*BOUNDS]}")
  if level not in BOUNDS[name]:
    raise ValueError(f"level = {level!r}; allowed: {[*BOUNDS[name]]}")
  if name == "bfloat16":
    return BOUNDS[name][level]
  growth = math.sqrt(length / 64) if level == "core" else 1.0
  return BOUNDS[name][level] * growth * (GRADIENT if gradient else 1)


def error(actual: Any, reference: Any) -> float:
  """max |actual − reference| / max |reference|, computed in float64.

  Zero for arrays without elements; infinite where the reference is zero
  everywhere and `actual` is not; NaN if either holds one.
  """
  actual = np.asarray(actual, np.float64)
  reference = np.asarray(reference, np.float64)
  if not reference.size:
    return 0.0
  difference = float(np.abs(actual - reference).max())
  scale = float(np.abs(reference).max())
  if not scale:
    return math.inf if difference else 0.0
  return difference / scale


def assert_close(
  actual: Any,
  reference: Any,
  *,
  level: Level,
  length: int = 64,
  gradient: bool = False,
) -> None:
  """Fails unless `actual` is within the table's bound of `reference`.

  Args:
    actual: an array or a pytree of arrays; its dtypes choose the bounds.
    reference: the same structure and shapes, in float64 if it can be had.
    level: what was computed: a parameter-free core, a module or a model.
    length: how many numbers the core adds up for one output.
    gradient: whether gradients are compared and not values.

  Raises:
    AssertionError: names the leaf, its error and the bound.
    ValueError: a leaf's dtype is not in the table.
  """
  leaves, tree = jax.tree_util.tree_flatten_with_path(actual)
  assert tree == jax.tree.structure(reference), "the structures differ"
  references = jax.tree.leaves(reference)
  for (path, leaf), wanted in zip(leaves, references, strict=True):
    name = jax.tree_util.keystr(path) or "the array"
    shapes = np.shape(leaf), np.shape(wanted)
    assert shapes[0] == shapes[1], f"{name}: shapes {shapes} differ"
    found = error(leaf, wanted)
    allowed = bound(leaf.dtype, level, length, gradient)
    # Written this way round, because NaN is not smaller than anything.
    assert found <= allowed, f"{name}: error {found:.2e}, allowed {allowed:.2e}"
