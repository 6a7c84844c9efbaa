"""Attention changed by functions of one pair: `score_mod` and its kin.

The form is FlexAttention's (Dong 2024): a function is written for one score,
of query and key at their positions, and is applied to all of them. It may
close over arrays, and gradients reach these.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from research.evaluations.attention.mesh import check_auto
from research.shapes import KeyPositions, Positions

Modification = Callable[..., Any]
"""(score, batch, head, query, key) → score, or without score → bool.

Scalars: a float32 score or weight, int32 indices of example and head, int32
positions (a vector on a grid).
"""


def kept(score: Any, batch: Any, head: Any, query: Any, key: Any) -> Any:
  """The score, or the weight, as it is."""
  return score


def everybody(batch: Any, head: Any, query: Any, key: Any) -> Any:
  """Nobody is forbidden."""
  return True


def check_function(name: str, value: Any) -> None:
  """Refuses what cannot be called.

  Raises:
    ValueError: names it.
  """
  if not callable(value):
    raise ValueError(
      f"{name} = {value!r}; allowed: a function of one pair, or a module"
    )


def change(
  name: str,
  function: Modification,
  scores: Array,
  positions_q: Positions,
  positions_k: KeyPositions,
  heads: Int[Array, "h"],
) -> Array:
  """`function` of every score, or of every weight.

  Args:
    name: what the function is called in errors.
    function: of one score.
    scores: Float32[b h t s].
    positions_q: of the queries.
    positions_k: of the keys.
    heads: to which one each of the h maps belongs.

  Raises:
    ValueError: another shape or dtype than that of a score; scores over an
      explicit axis of a mesh.
  """
  check_auto(name, scores)
  call = _one(name, function, jnp.dtype(jnp.float32))
  where = jnp.arange(scores.shape[0]), heads, positions_q, positions_k
  return _all(call, 1)(scores, *where)


def permit(
  name: str,
  function: Modification,
  positions_q: Positions,
  positions_k: KeyPositions,
  heads: Int[Array, "h"],
) -> Bool[Array, "b h t s"]:
  """Whom `function` allows; arguments and errors are those of `change`."""
  check_auto(name, positions_q, positions_k)
  call = _one(name, function, jnp.dtype(bool))
  examples = jnp.arange(positions_q.shape[0])
  return _all(call, 0)(examples, heads, positions_q, positions_k)


def _all(call: Modification, given: int) -> Modification:
  """`call` over keys, queries, heads and examples, in this order."""
  scores = (0,) * given
  for places in (
    (None, None, None, 0),
    (None, None, 0, None),
    (None, 0, None, None),
    (0, None, 0, 0),
  ):
    call = jax.vmap(call, scores + places)
  return call


def _one(name: str, function: Modification, dtype: jnp.dtype) -> Modification:
  """`function`, refused if it gives anything but one number of a dtype."""

  def call(*given: Any) -> Array:
    found = jnp.asarray(function(*given))
    if found.shape != () or found.dtype != dtype:
      raise ValueError(
        f"{name} gave {found.dtype}{list(found.shape)} for one pair; allowed: "
        f"{dtype}[]"
      )
    return found

  return call
