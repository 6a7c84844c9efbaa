"""Products of queries and keys that fade by what lies between the two.

Formula: P_ts = Σ_k q_tk k_sk exp(Σ_{s<r≤t} log_decay_rk) for s ≤ t, else 0.
Cost: O(c²) time and memory for c tokens, of a chunk each.

Nothing but sums of log_decay over tokens in between, which are ≤ 0, is ever
exponentiated: a product can underflow, and nothing else can go wrong.

- One decay for a head: the products, times the c² exponentials.
- One for each channel: pairs across the middle of a block fade to the middle
  on either side, q_t exp(c_t − c_mid) and k_s exp(c_mid − c_s), and are one
  matrix product; so do halves, and halves of halves, down to the token.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

_FORGOTTEN = -128.0
"""exp(−104) and less is 0 in float32. So nothing changes by this bound."""


class Sums(NamedTuple):
  """Σ_{r≤t} log_decay_r within a chunk: the sum of both, [… c 1] or [… c k].

  Attributes:
    coarse: multiples of a step so large that float32 sums them without error.
    fine: the rest, which is small.

  Within some hundred tokens a difference of two sums is as exact as a sum of
  what lies between them: the sums of one array differ by 1e-4 near the middle
  of 64 tokens of −50. In the parallel form of 8,192 tokens, 1e-5 are left.
  """

  coarse: Array
  fine: Array


def accumulate(log_decay: Float[Array, "*n c w"]) -> Sums:
  """The sums of each token and all before it in the chunk."""
  x = jnp.maximum(log_decay, _FORGOTTEN)
  largest = -_FORGOTTEN * x.shape[-2]
  step = 2.0 ** math.ceil(math.log2(largest) - 24)
  coarse = jax.lax.stop_gradient(jnp.round(x / step) * step)
  return Sums(jnp.cumsum(coarse, axis=-2), jnp.cumsum(x - coarse, axis=-2))


def from_start(x: Float[Array, "*n c k"], sums: Sums | None) -> Array:
  """`x` faded from the start of the chunk to its tokens."""
  if sums is None:
    return x
  return x * jnp.exp(sums.coarse + sums.fine)


def to_end(x: Float[Array, "*n c k"], sums: Sums | None) -> Array:
  """`x` faded from its tokens to the end of the chunk."""
  if sums is None:
    return x
  return x * jnp.exp(_gap(_at(sums, -1, None), sums))


def whole(sums: Sums | None) -> Float[Array, "*n w 1"] | float:
  """What is left at the end of a chunk of what there was at its start."""
  if sums is None:
    return 1.0
  end = _at(sums, -1, None)
  return jnp.swapaxes(jnp.exp(end.coarse + end.fine), -1, -2)


def pairs(
  q: Float[Array, "*n c k"], k: Float[Array, "*n c k"], sums: Sums | None
) -> Float[Array, "*n c c"]:
  """P, with zeros above the diagonal."""
  if sums is None:
    return jnp.tril(_multiply(q, k))
  if sums.fine.shape[-1] == 1:
    return _multiply(q, k) * _faded(sums)
  # On CPU jaxlib 0.10.2 and 0.11 crash in products with sums of rank 7 (jax
  # issues 39257 and 40412), so all axes in front are made one.
  shape = q.shape[:-1] + q.shape[-2:-1]
  one = [x.reshape((-1,) + x.shape[-2:]) for x in (q, k, *sums)]
  return _by_halves(one[0], one[1], Sums(*one[2:])).reshape(shape)


def _multiply(q: Array, k: Array) -> Array:
  return jnp.einsum("...tk,...sk->...ts", q, k)


def _by_halves(
  q: Float[Array, "n c k"], k: Float[Array, "n c k"], sums: Sums
) -> Float[Array, "n c c"]:
  """P of decays for each channel: small blocks, and what joins them."""
  count, length, _ = q.shape
  size = 1 << (length - 1).bit_length()
  missing = (0, 0), (0, size - length), (0, 0)
  padded = [jnp.pad(x, missing) for x in (q, k)]
  # The sums stay at the last one: a zero would be a growth.
  padded += [jnp.pad(x, missing, mode="edge") for x in sums]
  blocks = jnp.sum(padded[0] * padded[1], axis=-1).reshape(-1, 1, 1)
  half = 1
  while half < size:
    q, k, sums = _split(padded, 2 * half)
    middle = _at(sums, half - 1, half)
    late = q[:, half:] * jnp.exp(_gap(_at(sums, half, None), middle))
    early = k[:, :half] * jnp.exp(_gap(middle, _at(sums, 0, half)))
    blocks = _join(blocks, _multiply(late, early))
    half *= 2
  return blocks.reshape(count, size, size)[:, :length, :length]


def _split(padded: list[Array], size: int) -> tuple[Array, Array, Sums]:
  """[n c k] as blocks [n c/size, size, k]."""
  q, k, *sums = (x.reshape(-1, size, x.shape[-1]) for x in padded)
  return q, k, Sums(*sums)


def _join(blocks: Array, corners: Array) -> Array:
  """Blocks [2n c c] two by two on a diagonal, over the corners below it."""
  half = blocks.shape[-1]
  split = blocks.reshape(-1, 2, half, half)
  first, second = split[:, 0], split[:, 1]
  above = jnp.concatenate([first, jnp.zeros_like(first)], axis=-1)
  below = jnp.concatenate([corners, second], axis=-1)
  return jnp.concatenate([above, below], axis=-2)


def _faded(sums: Sums) -> Float[Array, "*n c c"]:
  """exp of the sum between two tokens, with zeros above the diagonal.

  The own one is set apart: its sum is 0, and so has to be its slope, of which
  large terms would cancel to roundings.
  """
  later, earlier = (
    Sums(*(jnp.expand_dims(x[..., 0], axis) for x in sums)) for axis in (-1, -2)
  )
  shape = sums.fine.shape[:-1] + sums.fine.shape[-2:-1]
  below = jnp.broadcast_to(np.tri(shape[-1], k=-1, dtype=bool), shape)
  own = jnp.broadcast_to(np.eye(shape[-1], dtype=np.float32), shape)
  gap = jnp.where(below, _gap(later, earlier), 0)
  return jnp.where(below, jnp.exp(gap), own)


def _gap(later: Sums, earlier: Sums) -> Array:
  """The sum over the tokens between; 0 or less."""
  return (later.coarse - earlier.coarse) + (later.fine - earlier.fine)


def _at(sums: Sums, start: int, stop: int | None) -> Sums:
  return Sums(*(x[..., start:stop, :] for x in sums))
