"""Fast weights corrected by what they got wrong: the delta rule.

Formula: S_t = a_t S_{t−1} + β_t k_t (v_t − (a_t S_{t−1})ᵀ k_t)ᵀ, which is zero
at the start of a segment, and y_t = S_tᵀ q_t, for a_t = exp(log_decay_t)
(Schlag 2021; gates: Yang 2025). Three forms agree:

- "chunkwise": within a chunk the corrections solve a triangular system,
  (I + A) U = β V for A = β K Kᵀ below the diagonal, as each depends on those
  before it; what it is multiplied by is computed for all chunks at once, and
  the states follow from each other (Yang 2024). O(t) time and memory.
- "parallel": all tokens are one chunk. O(t³) time and O(t²) memory.
- "recurrent": the definition. O(t) time, in steps that wait for each other.

The system is solved at the highest precision, as its errors add up; all other
products are of the precision that the caller has set for jax.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from research.evaluations.fast_weights.base import (
  Decay,
  Evaluation,
  Given,
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
from research.evaluations.fast_weights.triangular import solve
from research.shapes import Keys, Queries, Segments, Values


def delta(
  q: Queries,
  k: Keys,
  v: Values,
  beta: Float[Array, "b t h"],
  log_decay: Decay,
  segments: Segments,
  *,
  form: Evaluation = "auto",
  chunk: int = 0,
  state: State | None = None,
) -> tuple[Float[Array, "b t h v"], State]:
  """What every token reads, continued from `state`, and the new state.

  Args:
    q: queries; a scale, if any, is the caller's.
    k: keys, as a rule of length 1: then 0 < β < 2 never makes S grow.
    v: values.
    beta: β, how far what k reads is moved to v; 1 replaces it.
    log_decay: log a_t ≤ 0, for each head or each channel; None for a = 1.
    segments: Int[b t]; 0 is padding, which leaves the state as it is. A
      number stands once in a row: what comes again is the same segment.
    form: "auto" is the fastest one measured on CPU.
    chunk: tokens worked on at once; any number is allowed and no output
      depends on it; powers of two waste nothing. 0 for what was measured to
      be fast on CPU.
    state: of the tokens before; None for the start of the sequence.

  Returns:
    y of the dtype of `v`, zero on padding, and a float32 state.

  Raises:
    ValueError: no such form, or a chunk below 0.
  """
  chosen = choose(form, chunk, q.shape[1], log_decay)
  given = Given(q, k, v, beta, log_decay, segments)
  if chosen.form == "recurrent":
    return by_token(given, state)
  return in_chunks(_work, given, chosen, state)


def _work(given: Given, start: State) -> tuple[Array, State]:
  """Chunks in a row: the systems of all at once, and their states in turn."""
  q, k, v, beta, log_decay, segments = given
  sums = None if log_decay is None else accumulate(log_decay)
  before, after = carried(segments, start.segment)
  seen = together(segments)
  reads = jnp.where(seen, pairs(q, k, sums), 0)
  # The diagonal is no part of the system.
  below = beta * jnp.where(seen, pairs(k, k, sums), 0)
  entered = belong(segments, before)
  asked = jnp.where(entered, from_start(k, sums), 0)
  solved = solve(below, beta * jnp.concatenate([v, asked], axis=-1))
  new, old = solved[..., : v.shape[-1]], solved[..., v.shape[-1] :]
  kept = jnp.where(belong(segments, after), to_end(k, sums), 0)
  left = whole(sums) * (before == after)[:, :, None, None, None]
  matrix, (new, matrices) = jax.lax.scan(
    _next, start.matrix, (new, old, kept, left)
  )
  asks = jnp.where(entered, from_start(q, sums), 0)
  return reads @ new + asks @ matrices, State(matrix, after[-1])


def _next(
  matrix: Array, chunk: tuple[Array, ...]
) -> tuple[Array, tuple[Array, Array]]:
  """The state after a chunk; what it writes, and the state before it."""
  new, old, kept, left = chunk
  new = new - old @ matrix
  return left * matrix + jnp.swapaxes(kept, -1, -2) @ new, (new, matrix)
