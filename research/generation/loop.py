"""One line of tokens a row, written one after the other."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from research.generation.base import Generated, Request

Choose = Callable[[Float[Array, "b c"], Int[Array, ""]], Int[Array, "b"]]
"""The next token of each row, from logits and the number of the token."""

Read = Callable[
  [Any, Int[Array, "b"], Int[Array, "b"], Bool[Array, "b"]],
  tuple[Float[Array, "b c"], Any],
]
"""(state, token, position, going) → the logits behind the token, and the
state behind it."""


class _Line(NamedTuple):
  """What was written so far: `number` tokens a row, or fewer up to END."""

  number: Int[Array, ""]
  token: Int[Array, "b"]
  going: Bool[Array, "b"]
  written: Generated


def one_by_one(
  read: Read,
  logits: Float[Array, "b c"],
  state: Any,
  request: Request,
  choose: Choose,
) -> Generated:
  """Chooses a token, reads it, and so on until every row has its END.

  Args:
    read: appends one token to each row.
    logits: behind the prompts.
    state: behind the prompts.
    request: what is to be written.
    choose: the next tokens.
  """

  def unfinished(carry: tuple[_Line, Any]) -> Bool[Array, ""]:
    line = carry[0]
    inside = line.number < request.length
    # Without END no row stops, and none needs to be looked at.
    return inside if request.end is None else inside & jnp.any(line.going)

  def advance(carry: tuple[_Line, Any]) -> tuple[_Line, Any]:
    line, state = carry
    position = request.lengths + line.number - 1
    logits, state = read(state, line.token, position, line.going)
    return _added(line, logits, request, choose), state

  line = _added(_blank(request), logits, request, choose)
  line, _ = jax.lax.while_loop(unfinished, advance, (line, state))
  return line.written


def _blank(request: Request) -> _Line:
  batch = request.batch
  zeros = jnp.zeros(batch, jnp.int32)
  tokens = jnp.full((batch, request.length), request.fill, jnp.int32)
  written = Generated(tokens, zeros, jnp.zeros(batch))
  return _Line(jnp.int32(0), zeros, jnp.ones(batch, bool), written)


def _added(
  line: _Line, logits: Float[Array, "b c"], request: Request, choose: Choose
) -> _Line:
  """The line with the token chosen from the logits behind it."""
  token = choose(logits, line.number).astype(jnp.int32)
  going = line.going
  if request.end is not None:
    token = jnp.where(going, token, request.end)
    going &= token != request.end
  chosen = jnp.take_along_axis(logits, token[:, None], axis=-1)[:, 0]
  gained = chosen - jax.nn.logsumexp(logits, axis=-1)
  tokens, lengths, scores = line.written
  written = Generated(
    jax.lax.dynamic_update_slice_in_dim(
      tokens, token[:, None], line.number, axis=1
    ),
    lengths + going,
    scores + jnp.where(line.going, gained, 0.0),
  )
  return _Line(line.number + 1, token, going, written)
