"""Modifications are tried out when a model is built, before they are used."""

import contextlib
import functools
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

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


def probe(
  name: str,
  function: Modification,
  mask: Mask,
  mask_mod: Modification,
  heads: int,
  axes: int,
) -> None:
  """Tries a modification of scores or weights among the first 16 positions.

  A module is tried with the parameters that it starts with; a function that
  closes over what is traced is not tried. Gradients are not tried: those of
  `score * jnp.sqrt(query - key)` are NaN even where a mask forbids the pair.

  Args:
    name: score_mod or weight_mod.
    function: the modification.
    mask: who may look at whom; nobody else is tried.
    mask_mod: the same, as a modification.
    heads: how many of them.
    axes: of the positions; 1 is a sequence.

  Raises:
    ValueError: it gives NaN for a pair that is allowed.
  """
  if function is kept:
    return
  given = name, _alone(function), mask, _alone(mask_mod), heads, axes
  tried: Callable[..., None] = _probe
  try:
    hash(given)
  except TypeError:  # a record that may change is tried every time
    tried = _probe.__wrapped__
  # A tracer would tell nothing: what is found here has to be a number.
  with contextlib.suppress(jax.errors.TracerArrayConversionError):
    with jax.ensure_compile_time_eval():
      tried(*given)


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
  for value in _TRIED[name]:
    given = jnp.full((1, heads, _LENGTH, _LENGTH), value)
    found = np.asarray(change(name, call, given, positions, positions))
    wrong = np.argwhere(np.isnan(found) & allowed)
    if len(wrong):
      _, head, query, key = wrong[0]
      title = getattr(function, "__name__", type(function).__name__)
      raise ValueError(
        f"{name} = {title} gives NaN of {value} at head {head}, query "
        f"{query}, key {key}; allowed: numbers, or −∞ to forbid a key"
      )


def _started(
  part: Modification, place: jax.Array, *value: jax.Array
) -> Modification:
  """A function, or a module with parameters of its own."""
  if not isinstance(part, nn.Module):
    return part
  where = (jnp.int32(0), jnp.int32(0), place, place)
  variables = part.init(jax.random.key(0), *value, *where)
  return functools.partial(part.apply, variables)
