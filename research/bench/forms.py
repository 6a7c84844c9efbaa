"""The forms of one function as contenders: forward and backward, by length."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from research.evaluations.convolution.depthwise import convolve
from research.evaluations.diagonal.scan import diagonal
from research.evaluations.fast_weights.decay import decay
from research.evaluations.fast_weights.delta import delta
from research.places import whole
from research.recurrence.s4d import S4D
from research.timing import in_turn, seconds_of_call

LENGTHS = (64, 128, 256, 512, 1024, 2048, 4096, 8192)
MOST_BYTES = 4 * 2**30
"""A form that needs more temporary memory is not run."""
MOST_SECONDS = 2.0
"""A form whose call takes longer is not run at greater lengths."""

_HEADS, _WIDTH = 4, 64
"""The heads of fast weights, and the numbers of a key and of a value; of other
layers, their width. The batch is 1."""

Arrays = tuple[Any, ...]


class Family(NamedTuple):
  """One function and what it is called on.

  Attributes:
    title: as it is printed.
    forms: that are compared, "auto" the last.
    arrays: made for a length, or trees of them; all are differentiated.
    call: (form, segments, *arrays) → outputs.
  """

  title: str
  forms: tuple[str, ...]
  arrays: Callable[[int], Arrays]
  call: Callable[..., jax.Array]


def _normal(*shapes: tuple[int, ...]) -> Arrays:
  keys = jax.random.split(jax.random.key(0), len(shapes))
  return tuple(map(jax.random.normal, keys, shapes))


def _fast(length: int, gate: tuple[int, ...]) -> Arrays:
  """Queries, keys of length 1, values, and a gate for each of `gate`."""
  shape = (1, length, _HEADS, _WIDTH)
  q, k, v, x = _normal(shape, shape, shape, (1, length, *gate))
  return q, k / jnp.linalg.norm(k, axis=-1, keepdims=True), v, x


def _fading(form: Any, segments: Any, q: Any, k: Any, v: Any, x: Any) -> Any:
  return decay(q, k, v, jax.nn.log_sigmoid(x + 3), segments, form=form)[0]


def _writing(form: Any, segments: Any, q: Any, k: Any, v: Any, x: Any) -> Any:
  return delta(q, k, v, jax.nn.sigmoid(x), None, segments, form=form)[0]


def _gated(form: Any, segments: Any, a: Any, x: Any) -> Any:
  return diagonal(jax.nn.sigmoid(a), x, segments, form=form)[0]


def _turning(form: Any, segments: Any, a: Any, x: Any) -> Any:
  rates = jax.lax.complex(-jnp.exp(a), a)
  return diagonal(jnp.exp(rates), x.astype(jnp.complex64), segments, form=form)[
    0
  ].real


def _spaces(length: int) -> tuple[jax.Array, Any]:
  """The inputs of an S4D layer, and its parameters."""
  (x,) = _normal((1, length, _WIDTH))
  return x, S4D().init(jax.random.key(0), x[:, :2], whole(x[:, :2]))


def _tracking(form: Any, segments: Any, x: Any, variables: Any) -> Any:
  return S4D(form=form).apply(variables, x, whole(x))


def _filtering(form: Any, segments: Any, x: Any, filters: Any) -> Any:
  return convolve(x, filters, segments, form=form)


_CHUNKED = ("parallel", "chunkwise", "recurrent", "auto")
_FILTERED = ("direct", "blocked", "fft", "auto")
_WAYS = ("serial", "associative", "chunked")
_SCANNED = (*_WAYS, "auto")
FAMILIES = {
  "decay-head": Family(
    "fast weights, a decay for each head",
    _CHUNKED,
    lambda t: _fast(t, (_HEADS,)),
    _fading,
  ),
  "decay-channel": Family(
    "fast weights, a decay for each channel",
    _CHUNKED,
    lambda t: _fast(t, (_HEADS, _WIDTH)),
    _fading,
  ),
  "delta": Family(
    "fast weights, the delta rule",
    _CHUNKED,
    lambda t: _fast(t, (_HEADS,)),
    _writing,
  ),
  "gates": Family(
    "linear recurrence, a decay for each token",
    _SCANNED,
    lambda t: _normal((1, t, _WIDTH), (1, t, _WIDTH)),
    _gated,
  ),
  "complex": Family(
    "linear recurrence, constant and complex",
    _SCANNED,
    lambda t: _normal((_WIDTH,), (1, t, _WIDTH)),
    _turning,
  ),
  "s4d": Family("S4D", (*_WAYS, "convolution", "auto"), _spaces, _tracking),
  "convolution": Family(
    "long convolution, as many taps as tokens",
    _FILTERED,
    lambda t: _normal((1, t, _WIDTH), (t, _WIDTH)),
    _filtering,
  ),
  "taps-8": Family(
    "convolution of 8 taps",
    _FILTERED,
    lambda t: _normal((1, t, _WIDTH), (8, _WIDTH)),
    _filtering,
  ),
  "taps-64": Family(
    "convolution of 64 taps",
    _FILTERED,
    lambda t: _normal((1, t, _WIDTH), (64, _WIDTH)),
    _filtering,
  ),
}


def seconds(
  family: Family,
  rounds: int,
  least: float,
  told: Callable[[str], None],
  lengths: Sequence[int] = LENGTHS,
) -> dict[tuple[str, int], list[float]]:
  """Seconds of a call of each form and length, by round.

  Args:
    family: whose forms take turns.
    rounds: turns of each.
    least: seconds of a turn.
    told: told what happens.
    lengths: in increasing order. What is not run has no entry.
  """
  turns = {}
  for form in family.forms:
    for length in lengths:
      told(f"{family.title}: {form}, length {length:,}")
      program, arrays = _compiled(family, form, length)
      if program.memory_analysis().temp_size_in_bytes > MOST_BYTES:
        break
      turn = functools.partial(seconds_of_call, program, arrays, least)
      turns[form, length] = turn
      if seconds_of_call(program, arrays, 0.0) > MOST_SECONDS:
        break
  told(f"{family.title}: {rounds} rounds")
  return in_turn(turns, rounds=rounds)


def _compiled(family: Family, form: str, length: int) -> tuple[Any, Arrays]:
  """Outputs and gradients to all arrays, and what they are called on."""
  arrays = family.arrays(length)
  segments = jnp.ones((1, length), jnp.int32)
  call = functools.partial(family.call, form)
  # The slope is read, as from the layer above: XLA would compute one that is
  # a function of the outputs again for every gradient that it is part of.
  y = jax.eval_shape(call, segments, *arrays)
  slope = jnp.ones(y.shape, y.dtype)

  def both(slope: Any, segments: Any, *arrays: Any) -> Any:
    y, back = jax.vjp(functools.partial(call, segments), *arrays)
    return y, back(slope)

  given = slope, segments, *arrays
  return jax.jit(both).lower(*given).compile(), given
