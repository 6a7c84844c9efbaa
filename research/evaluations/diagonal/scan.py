"""Diagonal linear recurrences: every number of the state decays by itself.

Formula: h_t = a_t ⊙ h_{t−1} + x_t, zero before a segment, unchanged over
padding; real or complex, |a| ≤ 1. Cost: O(t) time; `expanded` makes a and x
and reads h a block at a time, so that memory is t inputs and outputs, t / block
states, and one block of states.

Three forms agree in value and gradient:

- "serial": one `lax.scan`. What is infinite ends with its segment.
- "associative": `lax.associative_scan`.
- "chunked": √t steps in all chunks at once, then from chunk to chunk.

Times stand in `choice.py`.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Inexact

from research.evaluations.diagonal.base import (
  Evaluation,
  Form,
  Make,
  Marks,
  Read,
  State,
  along,
  begin,
  made,
  marks,
)
from research.evaluations.diagonal.choice import choose
from research.evaluations.diagonal.parallel import states
from research.shapes import Segments

BLOCK = 64
"""Tokens whose states are held at once."""


def diagonal(
  a: Inexact[Array, "..."],
  x: Inexact[Array, "b t ..."],
  segments: Segments,
  *,
  form: Evaluation = "auto",
  state: State | None = None,
  reverse: bool = False,
) -> tuple[Inexact[Array, "b t ..."], State]:
  """h_t = a_t ⊙ h_{t−1} + x_t after every token, and the last state.

  Args:
    a: decays, |a| ≤ 1: [n...] for all tokens, or [b t n...].
    x: what is added, [b t n...].
    segments: Int[b t]; 0 is padding, where h stays as it is.
    form: "auto" is the fastest one measured on CPU, and "associative" on
      other backends, where none was measured.
    state: of the tokens before; None for the start of the sequence.
    reverse: from the last token to the first.

  Returns:
    h in float32 or complex64, and the state after the last token read.

  Raises:
    ValueError: no such form.
  """
  constant = a.ndim == x.ndim - 2
  return expanded(
    x if constant else (a, x),
    segments,
    lambda token: (a, token) if constant else token,
    lambda h, token: h,
    form=form,
    block=max(1, segments.shape[1]),
    state=state,
    reverse=reverse,
  )


def expanded(
  tokens: Any,
  segments: Segments,
  make: Make,
  read: Read,
  *,
  form: Evaluation = "auto",
  block: int = BLOCK,
  state: State | None = None,
  reverse: bool = False,
) -> tuple[Inexact[Array, "b t ..."], State]:
  """The outputs of a recurrence whose states are too wide to be held.

  Args:
    tokens: a tree of arrays [b t ...] that a, x and y are made of.
    segments: Int[b t]; 0 is padding.
    make: (a, x) of one token; may close over parameters.
    read: y of the state after one token; may close over parameters.
    form: as in `diagonal`.
    block: tokens whose states are held at once; the gradient makes them again.
    state: of the tokens before; None for the start of the sequence.
    reverse: from the last token to the first.

  Returns:
    y [b t ...], and the state after the last token read.

  Raises:
    ValueError: no such form; a block without tokens.
  """
  if block < 1:
    raise ValueError(f"block = {block}; allowed: 1 or more")
  chosen = choose(form, segments.shape[1])
  state = begin(make, tokens, segments) if state is None else state
  tokens, order = jax.tree.map(
    lambda leaf: _turned(leaf, reverse), (tokens, segments)
  )
  flags, last = marks(order, state.segment)
  run = _serial(make, read) if chosen == "serial" else _wide(make, read, chosen)
  hidden, y = _blocks(run, state.hidden, (tokens, flags), block)
  y = jnp.swapaxes(y[::-1] if reverse else y, 0, 1)
  return y, State(hidden, last)


Run = Callable[[Array, tuple[Any, Marks]], tuple[Array, Array]]
"""The last state and the outputs, of a state and the tokens after it."""


def _turned(x: Array, reverse: bool) -> Array:
  """[b t ...] as [t b ...], in the order of reading."""
  x = jnp.swapaxes(x, 0, 1)
  return x[::-1] if reverse else x


def _serial(make: Make, read: Read) -> Run:
  """Token by token.

  The gradient keeps the state before each token of a block, and makes a, x
  and y again: up to 4 times faster than to keep those. Rows are a `vmap`: with
  an axis of one token before them, XLA's products on CPU take 8 times as long.
  """
  make_rows = jax.vmap(functools.partial(made, make))
  read_rows = jax.vmap(read)

  def step(h: Array, new: tuple[Any, Marks]) -> tuple[Array, Array]:
    token, flags = new
    a, x = make_rows(token)
    after = a * jnp.where(along(flags.restart, h), 0, h) + x
    h = jnp.where(along(flags.valid, h), after, h)
    return h, read_rows(h, token)

  again = jax.checkpoint(step, prevent_cse=False)

  def run(start: Array, new: tuple[Any, Marks]) -> tuple[Array, Array]:
    tokens, flags = new
    # No slope goes through what stands on padding, where NaN times 0 is NaN.
    flags = flags._replace(restart=flags.restart | ~flags.valid)
    return jax.lax.scan(again, start, (tokens, flags))

  return run


def _wide(make: Make, read: Read, form: Form) -> Run:
  """All tokens of a block at once."""
  make_all = jax.vmap(jax.vmap(functools.partial(made, make)))
  read_all = jax.vmap(jax.vmap(read))

  def run(start: Array, new: tuple[Any, Marks]) -> tuple[Array, Array]:
    tokens, flags = new
    a, x = make_all(tokens)
    valid, restart = along(flags.valid, x), along(flags.restart, x)
    a = jnp.where(valid, jnp.where(restart, 0, a), 1)
    h = states(form, a, jnp.where(valid, x, 0), start)
    return h[-1], read_all(h, tokens)

  return run


def _blocks(
  run: Run, start: Array, new: tuple[Any, Marks], block: int
) -> tuple[Array, Array]:
  """`run` block by block; the gradient keeps the state before each."""
  length = new[1].valid.shape[0]
  if length <= block:
    return run(start, new)
  # All of them nearly full: 65 tokens are twice 33, and not 64 and 1.
  block = -(-length // -(-length // block))

  def cut(x: Array) -> Array:
    x = jnp.pad(x, ((0, -length % block),) + ((0, 0),) * (x.ndim - 1))
    return x.reshape((-1, block) + x.shape[1:])

  again = jax.checkpoint(run, prevent_cse=False)
  last, y = jax.lax.scan(again, start, jax.tree.map(cut, new))
  return last, y.reshape((-1,) + y.shape[2:])[:length]
