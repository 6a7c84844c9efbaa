import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.sound.tones import (
  BLOCK,
  PATTERNS,
  TONES,
  Timing,
  frequencies,
  patterns,
  timing,
  waveform,
)
from tests.tolerance import assert_close

RATE, COUNT = 4000, 400
KEY = jax.random.key(4)
# Three characters, of which the second is silent, a gap, and one not there.
CODES = np.array([[0, 3, 5], [-1, -1, -1], [2, 0, 4], [1, 2, 3]], np.int32)
WHEN = Timing(
  jnp.array([53, 130, 230, 305]),
  jnp.array([128, 210, 305, 305]),
)


def by_hand(key: jax.Array, overlap: float) -> np.ndarray:
  """All tones at all samples, in float64, from the same draws."""
  for_amplitude, for_phase = jax.random.split(key)
  loud = jax.random.uniform(for_amplitude, (4, 1), minval=0.5)
  phase = jax.random.uniform(for_phase, (12,), maxval=2 * np.pi)
  loud, phase = np.asarray(loud, np.float64), np.asarray(phase, np.float64)
  starts, ends = (np.asarray(edge, np.float64) for edge in WHEN)
  n, sound = np.arange(COUNT), np.zeros(COUNT)
  width = max(overlap, 1.0)
  for c, p in itertools.product((0, 2), range(3)):
    start = starts[c] + (ends[c] - starts[c]) * p / 3
    end = starts[c] + (ends[c] - starts[c]) * (p + 1) / 3
    rise = np.clip((n - start) / width + 0.5, 0, 1)
    fall = np.clip((end - n) / width + 0.5, 0, 1)
    envelope = (3 * rise**2 - 2 * rise**3) * (3 * fall**2 - 2 * fall**3)
    hertz = 300 + 280 * CODES[c, p]
    angle = 2 * np.pi * hertz * (n - start) / RATE + phase[3 * c + p]
    sound += loud[c, 0] * envelope * np.sin(angle)
  return sound


@pytest.mark.parametrize("overlap", [0.0, 16.0, 25.0])
def test_blocks_sound_as_all_tones_at_all_samples(overlap):
  found = waveform(
    KEY, jnp.asarray(CODES), WHEN, rate=RATE, count=COUNT, overlap=overlap
  )
  reference = by_hand(KEY, overlap)
  assert_close(found, reference, level="module")
  assert not reference[142:217].any() and not reference[319:].any()
  assert np.abs(reference).max() > 0.5


def test_tones_run_into_each_other():
  """Both of two neighbours sound for half the overlap beyond their edge."""

  def heard(*tones: int, overlap: float = 16.0) -> np.ndarray:
    codes = jnp.full(CODES.shape, -1).at[0].set(jnp.array(tones))
    sound = waveform(KEY, codes, WHEN, rate=RATE, count=COUNT, overlap=overlap)
    return np.asarray(sound)

  first, second = heard(0, -1, -1), heard(-1, 3, -1)
  edge = 78  # 53 + 25
  assert np.abs(first[edge : edge + 8]).max() > 0.05
  assert np.abs(second[edge - 8 : edge]).max() > 0.05
  assert not first[edge + 8 :].any() and not second[: edge - 8].any()
  assert_close(heard(0, 3, -1), first + second, level="core")
  assert not heard(0, -1, -1, overlap=0.0)[edge + 1 :].any()
  assert not heard(-1, 3, -1, overlap=0.0)[:edge].any()


def test_slots_fill_the_phrase():
  def run(key: jax.Array, size: jax.Array) -> Timing:
    return timing(key, size, 9, total=200 * size, spread=0.2, gap=0.25)

  keys = jax.random.split(KEY, 500)
  sizes = np.arange(500) % 9 + 1
  found = jax.jit(jax.vmap(run))(keys, jnp.asarray(sizes, jnp.int32))
  starts, ends = map(np.asarray, found)
  assert starts.dtype == ends.dtype == np.int32
  there = np.arange(9) < sizes[:, None]
  slots = np.diff(starts, append=(200 * sizes)[:, None], axis=1)
  assert not starts[:, 0].any() and not slots[~there].any()
  assert not (ends - starts)[~there].any()
  # 51 to 77 units, scaled; a slot may lose one sample and the next gain it.
  lowest = np.where(there, slots - 1.0, np.inf).min(axis=1)
  ratio = (slots.max(axis=1) + 1) / lowest
  assert ratio.max() > 1.4 and (slots.max(axis=1) - 1 <= lowest * 1.53).all()
  share = 1 - ((ends - starts) / np.where(there, slots, 1))[there]
  assert share.min() < 0.01 and 0.24 < share.max() < 0.25


def test_orders_of_the_same_tones_come_together():
  """All six orders of a set of three, but for the last one that is cut."""
  codes = patterns(77)
  assert codes.shape == (77, 3) and (codes[0] == -1).all()
  spoken = [tuple(code) for code in codes[1:].tolist()]
  assert len(set(spoken)) == 76
  assert all(len(set(code)) == 3 for code in spoken)
  assert set(sum(spoken, ())) == set(range(TONES))
  sets, counts = np.unique(np.sort(codes[1:]), axis=0, return_counts=True)
  assert len(sets) == 13 and sorted(counts) == [4] + [6] * 12
  assert len(patterns(PATTERNS + 1)) == PATTERNS + 1 == 121


def test_no_tone_tells_a_character():
  """Every tone is heard at every place of many characters."""
  codes = patterns(77)[1:]
  for place in range(3):
    assert np.bincount(codes[:, place], minlength=TONES).min() >= 8


def test_tones_are_below_half_the_rate():
  tones = frequencies(RATE)
  np.testing.assert_allclose(tones, 300 + 280 * np.arange(TONES))
  assert BLOCK / RATE == 0.005
