"""Modifications are tried out when a model is built, before they are used."""

import contextlib
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import flax.errors
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from research.evaluations.attention.closure import hoist
from research.evaluations.attention.modifications import (
  Modification,
  change,
  everybody,
  kept,
  permit,
)
from research.masks import Mask

_LENGTH = 16
"""So many positions of queries, and of keys, are tried."""
_TRIED = {"score_mod": (-4.0, 0.0, 4.0), "weight_mod": (0.0, 0.5, 1.0)}
"""The scores and the weights that are tried."""
_TRACED = (
  jax.errors.TracerArrayConversionError,
  jax.errors.UnexpectedTracerError,
  NameError,  # of an axis that only the caller's transformation has
)


def probe(
  name: str,
  function: Modification,
  mask: Mask,
  mask_mod: Modification,
  shape: tuple[int, int, int, int],
  axes: int,
) -> None:
  """Tries a modification of scores or weights at both ends of a sequence.

  Tried are its values where a pair is allowed, and its gradients, in which a
  NaN of a pair that is forbidden would be seen as well: among the first eight
  positions and the last eight, or on a grid, whose sides are not known, among
  the first. A module is tried with the parameters that it starts with; a
  function that closes over what is traced is not tried.

  Args:
    name: score_mod or weight_mod.
    function: the modification.
    mask: who may look at whom; nobody else is tried.
    mask_mod: the same, as a modification.
    shape: (b, h, t, s) of the scores; of the examples the first 16 are tried.
    axes: of the positions; 1 is a sequence.

  Raises:
    ValueError: it gives NaN or ∞ for a pair that is allowed, or NaN in a
      gradient; or it draws random numbers.
  """
  if function is kept or 0 in shape:
    return
  shape = (min(shape[0], _LENGTH), *shape[1:])
  given = name, _alone(function), mask, _alone(mask_mod), shape, axes
  tried: Callable[..., None] = _probe
  try:
    hash(given)
  except TypeError:  # a record that may change is tried every time
    tried = _probe.__wrapped__
  # Models are built under `jit` and `eval_shape`; a thread of its own is under
  # nothing, and finds numbers. What closes over a tracer finds none.
  try:
    with ThreadPoolExecutor(1) as alone, contextlib.suppress(*_TRACED):
      # May be set for this thread alone.
      wide = jnp.result_type(float) == jnp.float64
      alone.submit(_with_x64(wide, tried), *given).result()
  except flax.errors.InvalidRngError as error:
    raise ValueError(
      f"{_title(name, function)} draws random numbers; allowed: modules that "
      "do not, or a function that closes over a key"
    ) from error


def _with_x64(wide: bool, tried: Callable[..., None]) -> Callable[..., None]:
  def run(*given: Any) -> None:
    with jax.enable_x64(wide):
      tried(*given)

  return run


def _title(name: str, function: Modification) -> str:
  return f"{name} = {getattr(function, '__name__', type(function).__name__)}"


def _alone(part: Modification) -> Modification:
  return part.clone(parent=None) if isinstance(part, nn.Module) else part


@functools.lru_cache(maxsize=64)
def _probe(
  name: str,
  function: Modification,
  mask: Mask,
  mask_mod: Modification,
  shape: tuple[int, int, int, int],
  axes: int,
) -> None:
  batch, heads, *lengths = shape
  places = [_places(length, axes) for length in lengths]
  allowed = mask.known(places[0][:, None], places[1][None, :])
  allowed = np.broadcast_to(allowed, [place.size for place in places])
  allowed = allowed[None, None]
  queries, keys = (_positions(place, batch, axes) for place in places)
  each = jnp.arange(heads)
  if mask_mod is not everybody:
    call = _started(mask_mod, queries[0, 0])
    more = permit("mask_mod", call, queries, keys, each)
    allowed = allowed & np.asarray(more)
  call = _started(function, queries[0, 0], jnp.float32(0.0))
  title = _title(name, function)

  def all_of(scores: Array) -> Array:
    return change(name, call, scores, queries, keys, each)

  # What is forbidden has a weight of one when it is changed (`rules.py`).
  tried = [
    np.where(allowed, value, 1.0 if name == "weight_mod" else value)
    for value in _TRIED[name]
  ]
  given = [
    jnp.asarray(np.broadcast_to(x, (batch, heads, *x.shape[2:])), jnp.float32)
    for x in tried
  ]
  for value, scores in zip(_TRIED[name], given, strict=True):
    found = np.where(allowed, np.asarray(all_of(scores)), 0.0)
    _refuse(title, value, found, places)
  for value, scores in zip(_TRIED[name], given, strict=True):
    if _has_bad_slope(all_of, scores, allowed):
      raise ValueError(
        f"{title} has NaN in a gradient at {value}, by pairs that are "
        "forbidden if by no others; allowed: functions that are finite for "
        "all pairs, as with jnp.maximum(query - key, 1) in a logarithm or root"
      )


def _places(length: int, axes: int) -> np.ndarray:
  """The first positions and the last ones, or what a grid has on each axis."""
  if axes > 1:
    return np.arange(min(_LENGTH, int(length ** (1 / axes))))
  if length <= _LENGTH:
    return np.arange(length)
  half = np.arange(_LENGTH // 2)
  return np.concatenate([half, length - 1 - half[::-1]])


def _positions(places: np.ndarray, batch: int, axes: int) -> Array:
  rows = np.broadcast_to(places, (batch, places.size))
  return jnp.asarray(rows if axes == 1 else np.stack([rows] * axes, axis=-1))


def _refuse(
  title: str, value: float, found: np.ndarray, places: list[np.ndarray]
) -> None:
  wrong = np.argwhere(np.isnan(found) | (found == np.inf))
  for batch, head, query, key in wrong[:1]:
    what = "NaN" if np.isnan(found[batch, head, query, key]) else "∞"
    raise ValueError(
      f"{title} gives {what} of {value} at batch {batch}, head {head}, query "
      f"{places[0][query]}, key {places[1][key]}; allowed: numbers, or −∞ to "
      "forbid a key"
    )


def _has_bad_slope(
  function: Callable[[Array], Array], scores: Array, allowed: np.ndarray
) -> bool:
  """Whether NaN reaches the scores, or what the function closes over."""
  hoisted = hoist(function, scores)
  inner = [x for x in hoisted.captured if jnp.issubdtype(x.dtype, jnp.inexact)]

  def run(scores: Array, inner: list[Array]) -> Array:
    left = iter(inner)
    captured = tuple(
      next(left) if jnp.issubdtype(x.dtype, jnp.inexact) else x
      for x in hoisted.captured
    )
    found: Array = hoisted.call(captured, scores)
    return found

  y, back = jax.vjp(run, scores, inner)
  # What is −∞ is forbidden, and gets no slope either.
  slope = jnp.asarray(allowed) & (y != -jnp.inf)
  slopes = jax.tree.leaves(back(slope.astype(y.dtype)))
  return any(bool(jnp.isnan(one).any()) for one in slopes)


def _started(
  part: Modification, place: jax.Array, *value: jax.Array
) -> Modification:
  """A function, or a module with parameters of its own."""
  if not isinstance(part, nn.Module):
    return part
  where = (jnp.int32(0), jnp.int32(0), place, place)
  variables = part.init(jax.random.key(0), *value, *where)
  return functools.partial(part.apply, variables)
