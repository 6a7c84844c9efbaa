"""Characters as tones: each one is a few tones in an order of its own."""

import functools
import itertools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from research.shapes import RandomKey

TONES, PARTS = 6, 3
"""How many tones there are, and how many a character has."""

BLOCK = 20
"""Samples of which all are near the same three tones; no tone is shorter."""

PATTERNS = math.perm(TONES, PARTS)
"""How many characters there can be beside silence."""

_UNITS = 64
"""Lengths of characters are drawn in units of a 64th of their mean."""


class Timing(NamedTuple):
  """When characters sound, in samples: Int[t] each, rising."""

  starts: Int[Array, "t"]
  ends: Int[Array, "t"]


@functools.cache
def patterns(count: int) -> np.ndarray:
  """The tones of `count` characters, Int[count parts]; −1 is silence.

  The first character is silence. The others are all orders of the same tones,
  then of others: what sounds at one moment does not tell them apart, only the
  order does. Which character has which pattern is drawn once for all.
  """
  draws = np.random.RandomState(0)
  sets = [*itertools.combinations(range(TONES), PARTS)]
  draws.shuffle(sets)
  orders = [p for chosen in sets for p in itertools.permutations(chosen)]
  spoken = np.array(orders[: count - 1], np.int32)
  draws.shuffle(spoken)
  return np.concatenate([np.full((1, PARTS), -1, np.int32), spoken])


def frequencies(rate: int) -> np.ndarray:
  """The tones in Hz, evenly apart."""
  return np.linspace(0.075, 0.425, TONES) * rate


def timing(
  key: RandomKey,
  size: Int[Array, ""],
  length: int,
  *,
  total: Int[Array, ""],
  spread: float,
  gap: float,
) -> Timing:
  """When each of `size` characters sounds, from sample 0.

  Every character has a slot of its own, 1 − spread to 1 + spread of all alike
  likely, then scaled so that they fill `total`. The last part of a slot is
  silent, drawn from 0 to the share `gap`. Characters that are not there come
  at the end and take no time. All in integers, so that every program of a
  key rounds alike.

  Args:
    key: of this sound.
    size: how many characters there are.
    length: t, the most there can be.
    total: samples of all slots; total · length below 2²⁴.
    spread: by how much slots differ.
    gap: the largest share of a slot without sound.
  """
  for_slots, for_gaps = jax.random.split(key)
  least, most = round(_UNITS * (1 - spread)), round(_UNITS * (1 + spread))
  parts = jax.random.randint(for_slots, (length,), least, most + 1)
  parts = jnp.where(jnp.arange(length) < size, parts, 0)
  edges = jnp.pad(jnp.cumsum(parts), (1, 0))
  edges = edges * total // edges[-1]
  lengths = edges[1:] - edges[:-1]
  silent = jax.random.uniform(for_gaps, (length,), maxval=gap)
  sounding = lengths - jnp.floor(lengths * silent).astype(jnp.int32)
  return Timing(edges[:-1], edges[:-1] + sounding)


def waveform(
  key: RandomKey,
  tones: Int[Array, "t parts"],
  when: Timing,
  *,
  rate: int,
  count: int,
  overlap: float,
) -> Float[Array, "samples"]:
  """The sound of characters, sample by sample, without noise.

  Formula: x(n) = Σ_i a_i e_i(n) sin(2π f_i n / rate + φ_i), i over all tones.
  The envelope e_i rises from 0 to 1 around the beginning of a tone and falls
  around its end, over `overlap` samples each, so that a tone begins before
  the last one is over. Amplitudes from 1/2 to 1, one a character, and phases
  are drawn, alike likely.

  A block of samples is near three tones, which are all that it computes.
  Cost: O(samples), and O(t) a block to find the three.

  Args:
    key: of this sound.
    tones: which tones a character has, −1 for silence.
    when: when it sounds. No tone may be shorter than `overlap` or `BLOCK`.
    rate: samples a second.
    count: samples, a multiple of `BLOCK`.
    overlap: samples.
  """
  near = _near(key, tones, when, count)
  step = jnp.asarray(2 * np.pi * frequencies(rate) / rate, jnp.float32)
  n = jnp.arange(count, dtype=jnp.float32).reshape(-1, 1, BLOCK)
  after, width = n - near.start[..., None], max(overlap, 1.0)
  envelope = _rise(after / width) * _rise((near.end[..., None] - n) / width)
  angle = step[near.tone][..., None] * after + near.phase[..., None]
  parts = near.amplitude[..., None] * envelope * jnp.sin(angle)
  return jnp.sum(parts, axis=1).ravel()


class _Near(NamedTuple):
  """Tones by their place in the order of time, or near each block [… 3]."""

  start: Array
  end: Array
  tone: Array
  amplitude: Array
  phase: Array


def _near(
  key: RandomKey, tones: Int[Array, "t parts"], when: Timing, count: int
) -> _Near:
  """Of each block the tone at its middle, and those before and behind."""
  for_amplitude, for_phase = jax.random.split(key)
  parts = tones.shape[1]
  lengths = (when.ends - when.starts)[:, None]
  edges = (
    when.starts[:, None] + lengths * jnp.arange(parts + 1)[None, :] / parts
  )
  loud = jax.random.uniform(for_amplitude, (len(tones), 1), minval=0.5)
  # Silence and characters that are not there have tones of no amplitude.
  there = (tones >= 0) & (lengths > 0)
  every = _Near(
    edges[:, :-1].ravel(),
    edges[:, 1:].ravel(),
    jnp.maximum(tones, 0).ravel(),
    jnp.where(there, loud, 0.0).ravel(),
    jax.random.uniform(for_phase, (tones.size,), maxval=2 * np.pi),
  )
  # Those that take no time begin after the last, and are in nobody's way.
  begins = jnp.where(every.end > every.start, every.start, jnp.inf)
  middle = jnp.arange(count // BLOCK) * BLOCK + BLOCK / 2
  at = jnp.sum(begins[None, :] <= middle[:, None], axis=1)
  # Behind a silent tone at both sides, tone i is number i + 1.
  at = jnp.maximum(at, 1)[:, None] + jnp.arange(-1, 2)[None, :]
  return _Near(*(jnp.pad(of, 1)[at] for of in every))


def _rise(u: Float[Array, "*any"]) -> Float[Array, "*any"]:
  """0 below −1/2, 1 above 1/2, and 3 v² − 2 v³ of v = u + 1/2 in between."""
  v = jnp.clip(u + 0.5, 0.0, 1.0)
  return v * v * (3.0 - 2.0 * v)
