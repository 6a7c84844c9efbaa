"""What every evaluation of fast weights starts from: states and chunks.

Inside, arrays are float32 and cut into chunks: [chunks b h c k] for c tokens
a chunk. Tokens of padding write nothing, read nothing and forget nothing.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Shaped

from research.places import latest_segments

Form = Literal["parallel", "chunkwise", "recurrent"]
"""Every pair of tokens; pairs within chunks; one token after the other."""

Evaluation = Literal["auto", "parallel", "chunkwise", "recurrent"]

Decay = Float[Array, "b t h"] | Float[Array, "b t h k"] | None
"""log a_t ≤ 0 of a head or of each of its channels; None for a = 1."""


class State(NamedTuple):
  """What fast weights remember of the tokens so far; zeros are nothing.

  Attributes:
    matrix: S, Float32[b h k v].
    segment: Int[b], the segment it belongs to; 0 before the first.
  """

  matrix: Array
  segment: Array


class Given(NamedTuple):
  """The inputs; inside of the room float32 and cut into chunks.

  Attributes:
    q: queries, Float32[chunks b h c k].
    k: keys, Float32[chunks b h c k].
    v: values, Float32[chunks b h c v].
    beta: Float32[chunks b h c 1]; None for plain sums.
    log_decay: Float32[chunks b h c 1] or [chunks b h c k]; None for none.
    segments: Int[chunks b c].
  """

  q: Array
  k: Array
  v: Array
  # None or an array, as the rule has it.
  beta: Any
  log_decay: Any
  segments: Array


Piece = Callable[[Given, State], tuple[Array, State]]
"""The work on some chunks in a row."""


def begin(given: Given, state: State | None) -> State:
  """The state before the first token: `state`, or the empty one."""
  if state is not None:
    segment = state.segment.astype(given.segments.dtype)
    return State(state.matrix.astype(jnp.float32), segment)
  b, _, h, width = given.k.shape
  matrix = jnp.zeros((b, h, width, given.v.shape[-1]), jnp.float32)
  return State(matrix, jnp.zeros((b,), given.segments.dtype))


def cut(given: Given, chunk: int, chunks: int) -> Given:
  """Arrays [b t h …] as chunks, with zeros on padding and after the end."""
  valid = given.segments > 0
  size = chunk * chunks

  def one(x: Array | None) -> Any:
    if x is None:
      return None
    x = x if x.ndim == 4 else x[..., None]
    x = jnp.where(valid[:, :, None, None], x, 0).astype(jnp.float32)
    return jnp.moveaxis(_cut(x, chunk, size), 2, 3)

  return Given(
    q=one(given.q),
    k=one(given.k),
    v=one(given.v),
    beta=one(given.beta),
    log_decay=one(given.log_decay),
    segments=_cut(given.segments, chunk, size),
  )


def _cut(x: Shaped[Array, "b t ..."], chunk: int, size: int) -> Array:
  """[b t …] as [chunks b c …] of `size` tokens, with zeros after the end."""
  missing = size - x.shape[1]
  x = jnp.pad(x, ((0, 0), (0, missing)) + ((0, 0),) * (x.ndim - 2))
  x = x.reshape((x.shape[0], -1, chunk) + x.shape[2:])
  return jnp.moveaxis(x, 1, 0)


def uncut(
  x: Float[Array, "chunks b h c v"], length: int
) -> Float[Array, "b t h v"]:
  """Chunks joined, without what stands after the end."""
  x = jnp.transpose(x, (1, 0, 3, 2, 4))
  return x.reshape((x.shape[0], -1) + x.shape[3:])[:, :length]


def carried(
  segments: Int[Array, "chunks b c"], first: Int[Array, "b"]
) -> tuple[Int[Array, "chunks b"], Int[Array, "chunks b"]]:
  """The segment of the latest token, before and after each chunk."""
  _, b, chunk = segments.shape
  line = jnp.moveaxis(segments, 0, 1).reshape(b, -1)
  latest = latest_segments(line, first)[:, ::chunk].T
  return latest[:-1], latest[1:]


def belong(
  segments: Int[Array, "chunks b c"], chosen: Int[Array, "chunks b"]
) -> Bool[Array, "chunks b 1 c 1"]:
  """Whether a token is of its chunk's chosen segment, for all heads."""
  inside = (segments == chosen[..., None]) & (segments > 0)
  return inside[:, :, None, :, None]


def together(
  segments: Int[Array, "chunks b c"], own: bool = True
) -> Bool[Array, "chunks b 1 c c"]:
  """Whether a token is seen by another: earlier, and of its segment."""
  later, earlier = segments[..., :, None], segments[..., None, :]
  order = np.tri(segments.shape[-1], k=0 if own else -1, dtype=bool)
  same = (later == earlier) & (later > 0) & order[None, None]
  return same[:, :, None]
