"""Modifications are tried out when a model is built, before they are used."""

import contextlib
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

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
_TRIED = {"score_mod": (-4.0, 0.0, 4.0), "weight_mod": (0.0, 0.5, 1.0)}
"""The scores and the weights that are tried."""
_TRACED = (
  jax.errors.TracerArrayConversionError,
  jax.errors.UnexpectedTracerError,
)


def probe(
  name: str,
  function: Modification,
  mask: Mask,
  mask_mod: Modification,
  heads: int,
  axes: int,
) -> None:
  """Tries a modification of scores or weights among the first 16 positions.

  Tried are its values where a pair is allowed, and its gradients, in which a
  NaN of a pair that is forbidden would be seen as well. A module is tried
  with the parameters that it starts with; a function that closes over what
  is traced is not tried.

  Args:
    name: score_mod or weight_mod.
    function: the modification.
    mask: who may look at whom; nobody else is tried.
    mask_mod: the same, as a modification.
    heads: how many of them.
    axes: of the positions; 1 is a sequence.

  Raises:
    ValueError: it gives NaN for a pair that is allowed, or in a gradient.
  """
  if function is kept:
    return
  given = name, _alone(function), mask, _alone(mask_mod), heads, axes
  tried: Callable[..., None] = _probe
  try:
    hash(given)
  except TypeError:  # a record that may change is tried every time
    tried = _probe.__wrapped__
  # Models are built under `jit` and `eval_shape`; a thread of its own is under
  # nothing, and finds numbers. What closes over a tracer finds none.
  with ThreadPoolExecutor(1) as alone, contextlib.suppress(*_TRACED):
    alone.submit(tried, *given).result()


def _alone(part: Modification) -> Modification:
  return part.clone(parent=None) if isinstance(part, nn.Module) else part


@functools.lru_cache(maxsize=64)
def _probe(
  name: str,
  function: Modification,
  mask: Mask,
  mask_mod: Modification,
  heads: int,
  axes: int,
) -> None:
  positions = jnp.arange(_LENGTH)[None]
  if axes > 1:
    positions = jnp.stack([positions] * axes, axis=-1)
  allowed = mask.dense(_LENGTH, _LENGTH)[None, None]
  if mask_mod is not everybody:
    call = _started(mask_mod, positions[0, 0])
    more = permit("mask_mod", call, heads, positions, positions)
    allowed = allowed & np.asarray(more)
  call = _started(function, positions[0, 0], jnp.float32(0.0))
  title = f"{name} = {getattr(function, '__name__', type(function).__name__)}"

  def all_of(scores: Array) -> Array:
    return change(name, call, scores, positions, positions)

  # What is forbidden has a weight of one when it is changed (`rules.py`).
  tried = [
    np.where(allowed, value, 1.0 if name == "weight_mod" else value)
    for value in _TRIED[name]
  ]
  given = [
    jnp.asarray(np.broadcast_to(x, (1, heads, *x.shape[2:])), jnp.float32)
    for x in tried
  ]
  for value, scores in zip(_TRIED[name], given, strict=True):
    _refuse_nan(title, value, np.isnan(np.asarray(all_of(scores))) & allowed)
  for value, scores in zip(_TRIED[name], given, strict=True):
    if _has_bad_slope(all_of, scores, allowed):
      raise ValueError(
        f"{title} has NaN in a gradient at {value}, by pairs that are "
        "forbidden if by no others; allowed: functions that are finite for "
        "all pairs, as with jnp.maximum(query - key, 1) in a logarithm or root"
      )


def _refuse_nan(title: str, value: float, wrong: np.ndarray) -> None:
  for _, head, query, key in np.argwhere(wrong)[:1]:
    raise ValueError(
      f"{title} gives NaN of {value} at head {head}, query {query}, key "
      f"{key}; allowed: numbers, or −∞ to forbid a key"
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
  slope = jnp.where(jnp.asarray(allowed) & (y != -jnp.inf), 1.0, 0.0)
  slopes = jax.tree.leaves(back(slope))
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
