"""A few chunks at a time, with the state passed on from piece to piece.

All chunks at once leave the processor's cache, and what they leave for the
gradient is several times their inputs. Pieces that fit, and that are computed
again for the gradient, take a quarter of the memory and less time: forwards
and backwards 88 ms of processor time and 30 MiB, not 107 and 91, for decay by
channel, and 60 and 23, not 95 and 80, for the delta rule (t = 4,096, h = 4,
k = v = 64, chunks of 64). But 16 and 17 instead of 10 and 7 ms where all fits
without (b = 8, t = 256, h = 4, k = v = 16).

All that is of a CPU. On other backends, where nothing was measured, there is
one piece.
"""

import jax
from jaxtyping import Array, Float

from research.evaluations.fast_weights.base import (
  Given,
  Piece,
  State,
  begin,
  cut,
  uncut,
)
from research.evaluations.fast_weights.choice import Choice

_NUMBERS = 2**17
"""What an array of a piece holds, at most: half a MiB in float32."""

_WHOLE = 2**19
"""Arrays of so few numbers are one piece."""


def in_chunks(
  work: Piece, given: Given, choice: Choice, state: State | None
) -> tuple[Float[Array, "b t h v"], State]:
  """What `work` gives for all chunks, continued from `state`."""
  length, dtype = given.q.shape[1], given.v.dtype
  start = begin(given, state)
  pieces, size = _pieces(given, choice.chunk)
  chunks = cut(given, choice.chunk, pieces * size)
  if pieces == 1:
    y, last = work(chunks, start)
  else:
    split = jax.tree.map(
      lambda x: x.reshape((pieces, size) + x.shape[1:]), chunks
    )
    again = jax.checkpoint(work, prevent_cse=False)
    last, y = jax.lax.scan(lambda s, x: again(x, s)[::-1], start, split)
    y = y.reshape((-1,) + y.shape[2:])
  return uncut(y, length).astype(dtype), last


def _pieces(given: Given, chunk: int) -> tuple[int, int]:
  """How many pieces, and of how many chunks."""
  b, length, h, width = given.k.shape
  width = max(width, given.v.shape[-1])
  chunks = -(-length // chunk)
  numbers = b * h * chunk * max(width, chunk)
  if jax.default_backend() != "cpu" or chunks * numbers <= _WHOLE:
    return 1, chunks
  most = max(1, _NUMBERS // numbers)
  pieces = -(-chunks // most)
  return pieces, -(-chunks // pieces)
