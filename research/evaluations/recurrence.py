"""The loop over time of nonlinear recurrences: one `lax.scan` for all cells.

Formula: s_t = step(s_{t−1}, x_t), y_t = "hidden" of s_t. The state is zero
before the first token of a segment, and passed unchanged over padding, so that
both directions agree without flipping a sequence by its length.
Cost: t steps, one after the other. The backward pass keeps O(t) numbers, or
O(√t) where the loop is cut into chunks that are computed again (Chen 2016).

The projection of the input stands inside of the loop: with all projections
made before it, a training step takes 1.3 to 1.5 times as long on CPU (b = 64,
t = 64 and 256, d = 64 and 128). More than one step in a turn of the loop takes
longer, too: 1.2 times with two, 1.6 with four (LSTM, b = 64, t = 256, d = 128).

Of a step the backward pass keeps products of matrices, and computes the rest
again: LSTM and GRU then need 0.6 of the memory and 0.9 of the time that they
need with everything kept (same sizes), and give the same bits.
"""

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Array, Bool, Float, Int

from research.places import latest_segments
from research.shapes import Activations, Segments

Parts = dict[str, Float[Array, "b _"]]
"""What a recurrence remembers; "hidden" is also what it gives out."""

Step = Callable[[Parts, Float[Array, "b d"]], Parts]
"""The parts after a token, from the parts before it and its vector."""

Remat = int | Literal["root"]
"""Steps computed again at once: 0 for none, "root" for about √t."""

_NAME = "kept by recurrence"
_POLICY = jax.checkpoint_policies.save_from_both_policies(
  jax.checkpoint_policies.dots_saveable,
  jax.checkpoint_policies.save_only_these_names(_NAME),
)
"""What the backward pass reads of a step; it computes the rest again."""


class State(NamedTuple):
  """What a stream carries: the parts, and the segment they belong to."""

  parts: Parts
  segment: Int[Array, "b"]


def empty(batch: int, sizes: Mapping[str, int]) -> State:
  """The state before the first token, in float32; parts by name and size."""
  parts = {name: jnp.zeros((batch, n)) for name, n in sizes.items()}
  return State(parts, jnp.zeros(batch, jnp.int32))


def kept(x: Float[Array, "b _"]) -> Float[Array, "b _"]:
  """`x`, which the backward pass of a step reads and does not compute again.

  Without it, the products of a step are kept. Where gates are sums of two
  products, `kept` sums are half of the memory.
  """
  return checkpoint_name(x, _NAME)


def recur(
  step: Step,
  state: State,
  x: Activations,
  segments: Segments,
  *,
  reverse: bool = False,
  remat: Remat = 0,
) -> tuple[Float[Array, "b t n"], State]:
  """The hidden state after each token, and the state after all of them.

  Args:
    step: the recurrence.
    state: what came before; `empty` at the start.
    x: the inputs.
    segments: Int[b t]; 0 is padding, where y repeats the last output.
    reverse: from the last token to the first.
    remat: the steps of a chunk, of which the backward pass keeps the first
      state alone and computes the others again: memory for t / remat + remat
      steps and one more forward pass. 0 keeps every step. Values are equal
      bit for bit; a gradient that is summed over time is summed by chunks.

  Returns:
    Float[b t n] of the dtype of `x`, and the last state.

  Raises:
    ValueError: `remat` is out of bounds.
  """
  check_remat(remat)
  valid, restart, last = _borders(segments, state.segment, reverse)

  def advance(
    old: Parts, token: tuple[Array, Array, Array]
  ) -> tuple[Parts, Array]:
    vector, valid, restart = token
    fresh = jax.tree.map(jnp.zeros_like, old)
    after = _where(valid, step(_where(restart, fresh, old), vector), old)
    return after, after["hidden"].astype(x.dtype)

  loop = functools.partial(
    jax.lax.scan,
    jax.checkpoint(advance, policy=_POLICY, prevent_cse=False),
    reverse=reverse,
  )
  tokens = tuple(jnp.swapaxes(one, 0, 1) for one in (x, valid, restart))
  size = math.isqrt(x.shape[1] - 1) + 1 if remat == "root" else remat
  if 0 < size < x.shape[1]:
    parts, y = _by_chunks(loop, state.parts, tokens, size, reverse)
  else:
    parts, y = loop(state.parts, tokens)
  return jnp.swapaxes(y, 0, 1), State(parts, last)


def check_remat(remat: Remat) -> None:
  """Refuses, with a ValueError, what is not a `Remat`."""
  if remat != "root" and (isinstance(remat, str) or remat < 0):
    raise ValueError(
      f"remat = {remat!r}; allowed: the steps of a chunk, 1 or more, 'root' "
      "for about √t, or 0 for none"
    )


def _by_chunks(
  loop: Callable[..., tuple[Any, Any]],
  parts: Parts,
  tokens: tuple[Array, ...],
  size: int,
  reverse: bool,
) -> tuple[Parts, Float[Array, "t b n"]]:
  """The loop, cut into chunks that the backward pass computes again."""
  length = tokens[0].shape[0]
  missing = -length % size  # Made up by padding, over which states are kept.
  chunks = tuple(
    jnp.pad(one, ((0, missing),) + ((0, 0),) * (one.ndim - 1)).reshape(
      (-1, size) + one.shape[1:]
    )
    for one in tokens
  )
  again = jax.checkpoint(loop, prevent_cse=False)
  parts, y = jax.lax.scan(again, parts, chunks, reverse=reverse)
  return parts, y.reshape((-1,) + y.shape[2:])[:length]


def _borders(
  segments: Segments, first: Int[Array, "b"], reverse: bool
) -> tuple[Bool[Array, "b t"], Bool[Array, "b t"], Int[Array, "b"]]:
  """Which tokens are valid, which begin anew, and the last valid segment.

  A token begins anew if it belongs to another segment than the last valid one
  before it. Found before the loop, this takes no time within it.

  Args:
    segments: Int[b t]; 0 is padding.
    first: the segment of the last valid token before these.
    reverse: whether the last token comes first.
  """
  if reverse:
    segments = jnp.flip(segments, axis=1)
  known = latest_segments(segments, first)
  valid = segments > 0
  restart = valid & (segments != known[:, :-1])
  if reverse:
    valid, restart = jnp.flip(valid, axis=1), jnp.flip(restart, axis=1)
  return valid, restart, known[:, -1].astype(first.dtype)


def _where(rows: Bool[Array, "b"], yes: Parts, no: Parts) -> Parts:
  """`yes` in the rows that are true, `no` in the others."""
  return jax.tree.map(lambda a, b: jnp.where(rows[:, None], a, b), yes, no)
