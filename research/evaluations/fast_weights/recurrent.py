"""Fast weights token by token: their definition. Cost: O(t) steps in turn."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from research.evaluations.fast_weights.base import (
  Given,
  State,
  begin,
  carried,
  cut,
)


def by_token(
  given: Given, state: State | None, own: bool = True
) -> tuple[Float[Array, "b t h v"], State]:
  """Both rules; `own` is whether a token reads what it wrote itself."""
  start = begin(given, state)
  tokens = cut(given, 1, given.q.shape[1])
  before, after = carried(tokens.segments, start.segment)
  same = (before == after)[:, :, None, None, None]

  def step(matrix: Array, now: tuple[Given, Array]) -> tuple[Array, Array]:
    token, keep = now
    matrix = jnp.where(keep, matrix, 0)
    if token.log_decay is not None:
      matrix = jnp.swapaxes(jnp.exp(token.log_decay), -1, -2) * matrix
    new = token.v
    if token.beta is not None:
      new = token.beta * (new - token.k @ matrix)
    later = matrix + jnp.swapaxes(token.k, -1, -2) * new
    return later, token.q @ (later if own else matrix)

  matrix, y = jax.lax.scan(step, start.matrix, (tokens, same))
  y = jnp.moveaxis(y[..., 0, :], 0, 1).astype(given.v.dtype)
  return y, State(matrix, after[-1])
