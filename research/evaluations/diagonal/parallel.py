"""Diagonal recurrences with few steps one after the other.

Both forms multiply decays and never divide by one, so that a = 0 and products
that underflow give zeros, in values and in gradients. The gradient is the same
recurrence from the last token to the first, whichever form it takes: it keeps
the decays and the states, and nothing of the tree or of the chunks.
"""

import functools
import math
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Inexact, Shaped

Decays = Inexact[Array, "t b ..."]
States = Inexact[Array, "t b ..."]
Start = Inexact[Array, "b ..."]
Parallel = Literal["associative", "chunked"]


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def states(form: Parallel, a: Decays, x: States, start: Start) -> States:
  """h_t = a_t ⊙ h_{t−1} + x_t for all t, with h_{−1} = `start`."""
  return (_associative if form == "associative" else _chunked)(a, x, start)


def _forward(
  form: Parallel, a: Decays, x: States, start: Start
) -> tuple[States, tuple[Array, Array, Array]]:
  h = states(form, a, x, start)
  return h, (a, h, start)


def _backward(
  form: Parallel, kept: tuple[Array, Array, Array], slope: States
) -> tuple[Decays, States, Start]:
  a, h, start = kept
  # g_t = ∂/∂h_t + a_{t+1} g_{t+1}.
  later = jnp.concatenate([a[1:], jnp.zeros_like(a[:1])])
  g = states(form, later[::-1], slope[::-1], jnp.zeros_like(start))[::-1]
  before = jnp.concatenate([start[None], h[:-1]])
  return g * before, g, a[0] * g[0]


states.defvjp(_forward, _backward)


def _then(
  early: tuple[Array, Array], late: tuple[Array, Array]
) -> tuple[Array, Array]:
  """Two steps h → a h + x as one."""
  return late[0] * early[0], late[0] * early[1] + late[1]


def _associative(a: Decays, x: States, start: Start) -> States:
  """A tree of pairs of steps. Cost: O(t) work, O(log t) after each other."""
  x = x.at[0].add(a[0] * start)
  return jax.lax.associative_scan(_then, (a, x))[1]


def _chunked(a: Decays, x: States, start: Start) -> States:
  """√t steps in all chunks at once, then √t from chunk to chunk.

  Cost: O(t) work, O(√t) after each other.
  """
  length = a.shape[0]
  chunk = 2 ** round(math.log2(length) / 2)
  steps = _cut(a, chunk), _cut(x, chunk)

  def step(
    done: tuple[Array, Array], new: tuple[Array, Array]
  ) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    done = _then(done, new)
    return done, done

  nothing = jnp.ones_like(steps[0][0]), jnp.zeros_like(steps[1][0])
  chunks, within = jax.lax.scan(step, nothing, steps)
  _, starts = jax.lax.scan(
    lambda h, chunk: (chunk[0] * h + chunk[1], h), start, chunks
  )
  h = within[0] * starts[None] + within[1]
  return jnp.swapaxes(h, 0, 1).reshape((-1,) + a.shape[1:])[:length]


def _cut(x: Shaped[Array, "t ..."], chunk: int) -> Array:
  """[t ...] as [chunk chunks ...], with zeros after the end."""
  missing = -x.shape[0] % chunk
  x = jnp.pad(x, ((0, missing),) + ((0, 0),) * (x.ndim - 1))
  return jnp.swapaxes(x.reshape((-1, chunk) + x.shape[1:]), 0, 1)
