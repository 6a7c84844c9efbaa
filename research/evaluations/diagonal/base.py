"""What every evaluation of a diagonal recurrence starts from.

Inside, arrays are time-major, [t b ...], in float32 or complex64.
"""

import functools
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Shaped

from research.places import latest_segments
from research.shapes import Segments

Form = Literal["serial", "associative", "chunked"]
"""Token by token; a tree of pairs; the steps of all chunks at once."""

Evaluation = Literal["auto", "serial", "associative", "chunked"]

Make = Callable[[Any], tuple[Array, Array]]
"""(a, x) of one token, [n...] both; a may be the same for every token."""

Read = Callable[[Array, Any], Array]
"""y of the state [n...] after one token, and of the token."""


class State(NamedTuple):
  """What a diagonal recurrence remembers of the tokens so far.

  Attributes:
    hidden: h, Float32[b n...] or Complex64[b n...].
    segment: Int[b], the segment it belongs to; 0 before the first.
  """

  hidden: Array
  segment: Array


class Marks(NamedTuple):
  """What segments mean for a recurrence: [t b].

  Attributes:
    valid: there is a token.
    restart: there is one, of another segment than the latest before it.
  """

  valid: Array
  restart: Array


def marks(
  segments: Int[Array, "t b"], first: Int[Array, "b"]
) -> tuple[Marks, Int[Array, "b"]]:
  """The marks of all tokens, and the segment that the last state is of.

  Args:
    segments: of the tokens, in the order in which they are read; 0 is padding.
    first: the segment of the state before them.
  """
  latest = latest_segments(segments.T, first).T
  valid = segments > 0
  return Marks(valid, valid & (segments != latest[:-1])), latest[-1]


def made(make: Make, token: Any) -> tuple[Array, Array]:
  """`make(token)` in at least single precision, and of one shape."""
  a, x = make(token)
  kind = jnp.promote_types(jnp.result_type(a, x), jnp.float32)
  return jnp.broadcast_to(a, x.shape).astype(kind), x.astype(kind)


def begin(make: Make, tokens: Any, segments: Segments) -> State:
  """The state before the first token, zeros, for tokens [b t ...]."""
  token = jax.tree.map(
    lambda leaf: jax.ShapeDtypeStruct(leaf.shape[2:], leaf.dtype), tokens
  )
  _, x = jax.eval_shape(functools.partial(made, make), token)
  rows = segments.shape[0]
  hidden = jnp.zeros((rows,) + x.shape, x.dtype)
  return State(hidden, jnp.zeros((rows,), segments.dtype))


def along(flags: Bool[Array, "..."], x: Shaped[Array, "..."]) -> Array:
  """`flags` with the axes of `x` that they lack, at the end."""
  return flags.reshape(flags.shape + (1,) * (x.ndim - flags.ndim))
