"""Linear attention without parameters: chunks, and the quadratic reference.

Formula: S_t = S_{t−1} + k_t v_tᵀ and z_t = z_{t−1} + k_t, which are zero at the
start of a segment; y_t = S_tᵀ q_t / (z_t·q_t + 1e-6), for positive q and k
(Katharopoulos 2020). Cost: O(t · chunk) time, and t / chunk states of memory.

Within a chunk it is masked attention without a softmax; between chunks the
state is passed on. All chunks are worked on at once and only the sum of the
states is serial: forwards and backwards 5.3 ms, and 6.8 with everything inside
the scan (b = 16, t = 256, d = 64, 2 cores). Sums are float32 in any dtype.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from research.shapes import Keys, Queries, Segments, Values

EPSILON = 1e-6
"""Added to the normaliser, which is zero on padding."""


class State(NamedTuple):
  """What linear attention remembers of the tokens so far.

  Attributes:
    matrix: S, Float32[b h k v].
    total: z, Float32[b h k].
    segment: Int[b], the segment they belong to; 0 before the first.
  """

  matrix: Array
  total: Array
  segment: Array


def linear_attend(
  q: Queries,
  k: Keys,
  v: Values,
  segments: Segments,
  *,
  chunk: int = 64,
  state: State | None = None,
) -> tuple[Float[Array, "b t h v"], State]:
  """Causal linear attention, continued from `state`, and the new state.

  Args:
    q: queries after the feature map, not negative.
    k: keys after the feature map, not negative.
    v: values.
    segments: Int[b t]; 0 is padding, which leaves the state as it is.
    chunk: tokens worked on at once; any length is allowed.
    state: of the tokens before; None for the start of the sequence.
  """
  numerator, total, state = _sums(q, k, v, segments, chunk, state)
  return _divide(numerator, total).astype(v.dtype), state


def linear_attend_both(
  q: Queries, k: Keys, v: Values, segments: Segments, *, chunk: int = 64
) -> Float[Array, "b t h v"]:
  """Linear attention to all tokens of the segment, before and after.

  The causal sums, and those of the reversed sequence without the own term.
  """
  if segments.shape[1] <= chunk:
    return linear_attend_quadratic(q, k, v, segments, causal=False)
  numerator, total, _ = _sums(q, k, v, segments, chunk)
  q, k, v, segments = (jnp.flip(x, 1) for x in (q, k, v, segments))
  later, later_total, _ = _sums(q, k, v, segments, chunk, own=False)
  numerator = numerator + jnp.flip(later, 1)
  total = total + jnp.flip(later_total, 1)
  return _divide(numerator, total).astype(v.dtype)


def linear_attend_quadratic(
  q: Queries, k: Keys, v: Values, segments: Segments, *, causal: bool = True
) -> Float[Array, "b t h v"]:
  """The same by its definition: a score for every pair. Cost: O(t²)."""
  together = _together(segments)
  if causal:
    together = together & np.tri(segments.shape[1], dtype=bool)[None]
  numerator, total = _pairs(q, k, v, together)
  return _divide(numerator, total).astype(v.dtype)


def _divide(
  numerator: Float[Array, "b t h v"], total: Float[Array, "b t h"]
) -> Float[Array, "b t h v"]:
  return numerator / (total + EPSILON)[..., None]


def _empty(k: Array, v: Array, segments: Array) -> State:
  """The state before the first token, of arrays cut into chunks."""
  b, h, width = k.shape[0], *k.shape[-2:]
  matrix = jnp.zeros((b, h, width, v.shape[-1]), jnp.float32)
  return State(matrix, matrix[..., 0], jnp.zeros((b,), segments.dtype))


def _together(segments: Int[Array, "... t"]) -> Bool[Array, "... t t"]:
  query, key = segments[..., :, None], segments[..., None, :]
  return (query == key) & (query > 0)


def _pairs(
  q: Float[Array, "... t h k"],
  k: Float[Array, "... s h k"],
  v: Float[Array, "... s h v"],
  allowed: Bool[Array, "... t s"],
) -> tuple[Float[Array, "... t h v"], Float[Array, "... t h"]]:
  """Σ_s (q·k_s) v_s and Σ_s q·k_s over the allowed pairs."""
  scores = jnp.einsum(
    "...thk,...shk->...hts", q, k, preferred_element_type=jnp.float32
  )
  scores = jnp.where(allowed[..., None, :, :], scores, 0.0)
  numerator = jnp.einsum(
    "...hts,...shv->...thv",
    scores.astype(v.dtype),
    v,
    preferred_element_type=jnp.float32,
  )
  return numerator, jnp.moveaxis(jnp.sum(scores, axis=-1), -2, -1)


def _sums(
  q: Queries,
  k: Keys,
  v: Values,
  segments: Segments,
  chunk: int,
  state: State | None = None,
  own: bool = True,
) -> tuple[Float[Array, "b t h v"], Float[Array, "b t h"], State]:
  """S_tᵀ q_t, z_t·q_t and the last state; `own` includes the token itself."""
  length = segments.shape[1]
  chunk = min(chunk, length)
  q, k, v, segments = (_cut(x, chunk) for x in (q, k, v, segments))
  order = np.tri(chunk, k=0 if own else -1, dtype=bool)[None, None]
  numerator, total = _pairs(q, k, v, _together(segments) & order)
  start = _empty(k, v, segments) if state is None else state
  before, after = _carried(segments, start.segment)
  kept = _only(k, segments, after)
  matrices, totals, last = _states(kept, v, before, after, start)
  if state is not None or chunk < length:
    asks = _only(q, segments, before)
    numerator += jnp.einsum("...thk,...hkv->...thv", asks, matrices)
    total += jnp.einsum("...thk,...hk->...th", asks, totals)
  return _uncut(numerator, length), _uncut(total, length), last


def _cut(x: Array, chunk: int) -> Array:
  """[b t ...] cut into chunks [b chunks chunk ...], with zeros at the end."""
  missing = -x.shape[1] % chunk
  x = jnp.pad(x, ((0, 0), (0, missing)) + ((0, 0),) * (x.ndim - 2))
  return x.reshape((x.shape[0], -1, chunk) + x.shape[2:])


def _uncut(x: Array, length: int) -> Array:
  """Chunks [b chunks chunk ...] joined, without what stands at the end."""
  return x.reshape((x.shape[0], -1) + x.shape[3:])[:, :length]


def _carried(
  segments: Int[Array, "b chunks t"], first: Int[Array, "b"]
) -> tuple[Int[Array, "b chunks"], Int[Array, "b chunks"]]:
  """The segment of the latest token, before and after each chunk."""
  b, _, chunk = segments.shape
  line = jnp.concatenate([first[:, None], segments.reshape(b, -1)], axis=1)
  order = jnp.where(line > 0, jnp.arange(line.shape[1])[None, :], 0)
  latest = jax.lax.cummax(order, axis=1)[:, ::chunk]
  carried = jnp.take_along_axis(line, latest, axis=1)
  return carried[:, :-1], carried[:, 1:]


def _only(
  x: Float[Array, "b chunks t h k"],
  segments: Int[Array, "b chunks t"],
  chosen: Int[Array, "b chunks"],
) -> Float[Array, "b chunks t h k"]:
  """`x` with zeros where a token is not of its chunk's chosen segment."""
  inside = (segments == chosen[..., None]) & (segments > 0)
  return jnp.where(inside[..., None, None], x, 0)


def _states(
  k: Float[Array, "b chunks t h k"],
  v: Float[Array, "b chunks t h v"],
  before: Int[Array, "b chunks"],
  after: Int[Array, "b chunks"],
  state: State,
) -> tuple[Float[Array, "b chunks h k v"], Float[Array, "b chunks h k"], State]:
  """S and z at the start of every chunk, and the state after the last."""
  new = (
    jnp.einsum(
      "...thk,...thv->...hkv", k, v, preferred_element_type=jnp.float32
    ),
    jnp.sum(k, axis=2, dtype=jnp.float32),
  )
  keep = (before == after)[..., None, None]

  def step(start: tuple, chunk: tuple) -> tuple[tuple, tuple]:
    (matrix, total), (add_matrix, add_total, same) = start, chunk
    matrix = jnp.where(same[..., None], matrix, 0) + add_matrix
    return (matrix, jnp.where(same, total, 0) + add_total), start

  chunks = tuple(jnp.swapaxes(x, 0, 1) for x in (*new, keep))
  last, starts = jax.lax.scan(step, (state.matrix, state.total), chunks)
  matrices, totals = (jnp.swapaxes(x, 0, 1) for x in starts)
  return matrices, totals, State(*last, after[:, -1])
