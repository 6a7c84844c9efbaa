"""Fast weights that add up and fade: linear attention, gated or not.

Formula: S_t = diag(a_t) S_{t−1} + k_t v_tᵀ, which is zero at the start of a
segment, and y_t = S_tᵀ q_t, for a_t = exp(log_decay_t) (Katharopoulos 2020;
gates: Yang 2024, Dao 2024). Three forms agree:

- "parallel": y = P V, for the products P of all pairs. O(t²) time and memory.
- "chunkwise": the same in chunks, all at once; what is left of the tokens
  before a chunk is read from the state. O(t) time and memory.
- "recurrent": the definition. O(t) time, in steps that wait for each other.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from research.evaluations.fast_weights.base import (
  Decay,
  Evaluation,
  Given,
  Piece,
  State,
  belong,
  carried,
  together,
)
from research.evaluations.fast_weights.choice import choose
from research.evaluations.fast_weights.pieces import in_chunks
from research.evaluations.fast_weights.products import (
  accumulate,
  from_start,
  pairs,
  to_end,
  whole,
)
from research.evaluations.fast_weights.recurrent import by_token
from research.shapes import Keys, Queries, Segments, Values


def decay(
  q: Queries,
  k: Keys,
  v: Values,
  log_decay: Decay,
  segments: Segments,
  *,
  form: Evaluation = "auto",
  chunk: int = 0,
  state: State | None = None,
  own: bool = True,
) -> tuple[Float[Array, "b t h v"], State]:
  """What every token reads, continued from `state`, and the new state.

  Args:
    q: queries; a scale, if any, is the caller's.
    k: keys.
    v: values.
    log_decay: log a_t ≤ 0, for each head or each channel; None for a = 1.
    segments: Int[b t]; 0 is padding, which leaves the state as it is. A
      number stands once in a row: what comes again is the same segment.
    form: "auto" is the fastest one measured on CPU.
    chunk: tokens worked on at once; any number is allowed and no output
      depends on it. 0 for what was measured to be fast on CPU.
    state: of the tokens before; None for the start of the sequence.
    own: whether a token reads what it wrote itself.

  Returns:
    y of the dtype of `v`, zero on padding, and a float32 state.

  Raises:
    ValueError: no such form, or a chunk below 0.
  """
  chosen = choose(form, chunk, q.shape[1], log_decay)
  given = Given(q, k, v, None, log_decay, segments)
  if chosen.form == "recurrent":
    return by_token(given, state, own)
  return in_chunks(_piece(own), given, chosen, state)


def _piece(own: bool) -> Piece:
  """The work on chunks in a row: all at once, and their states in turn."""

  def work(given: Given, start: State) -> tuple[Array, State]:
    q, k, v, _, log_decay, segments = given
    sums = None if log_decay is None else accumulate(log_decay)
    before, after = carried(segments, start.segment)
    seen = together(segments, own)
    inside = jnp.where(seen, pairs(q, k, sums), 0)
    kept = jnp.where(belong(segments, after), to_end(k, sums), 0)
    new = jnp.einsum("nbhsk,nbhsv->nbhkv", kept, v)
    left = whole(sums) * (before == after)[:, :, None, None, None]
    matrix, matrices = jax.lax.scan(_next, start.matrix, (left, new))
    asks = jnp.where(belong(segments, before), from_start(q, sums), 0)
    y = inside @ v + asks @ matrices
    return y, State(matrix, after[-1])

  return work


def _next(matrix: Array, chunk: tuple[Array, Array]) -> tuple[Array, Array]:
  left, new = chunk
  return left * matrix + new, matrix
