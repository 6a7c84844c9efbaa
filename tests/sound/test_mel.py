import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal

from research.sound.mel import filters, frames, log_mel, mel, normalised
from tests.tolerance import assert_close

RATE = 4000
generator = np.random.default_rng(2)
SOUND = generator.normal(size=1000).astype(np.float32)


def by_hand(sound: np.ndarray, rate: int, bands: int) -> np.ndarray:
  """Power in each band [s bands], in float64 and by loops."""
  size, hop = rate // 40, rate // 100
  _, _, power = scipy.signal.spectrogram(
    sound.astype(np.float64),
    fs=rate,
    window="hann",
    nperseg=size,
    noverlap=size - hop,
    detrend=False,
    mode="complex",
    scaling="spectrum",
  )
  power = np.abs(power) ** 2  # [f s]
  top = 2595 * np.log10(1 + rate / 1400)
  out = np.zeros((power.shape[1], bands))
  for f in range(len(power)):
    place = 2595 * np.log10(1 + f * rate / size / 700) * (bands + 1) / top
    for band in range(bands):
      out[:, band] += max(0.0, 1 - abs(place - band - 1)) * power[f]
  return out


@pytest.mark.parametrize("rate, bands", [(4000, 16), (8000, 24)])
def test_log_mel_is_that_of_float64(rate, bands):
  found = jax.jit(log_mel, static_argnums=(1, 2))(SOUND, rate, bands)
  reference = np.log(np.maximum(by_hand(SOUND, rate, bands), 1e-4))
  assert found.shape == (len(reference), bands)
  assert (reference == np.log(1e-4)).mean() < 0.1
  assert_close(found, reference, level="core", length=rate // 40)


def test_the_gradient_of_power():
  """Of Σ weight · power by the sound, against central differences."""
  weight = generator.normal(size=(23, 16))

  def total(sound: jax.Array) -> jax.Array:
    power = jnp.exp(log_mel(sound, RATE, 16, floor=1e-30))
    return jnp.sum(power * jnp.asarray(weight, jnp.float32))

  found = jax.jit(jax.grad(total))(SOUND)
  at, step = [7, 117, 500, 970], 1e-3
  wanted = []
  for n in at:
    change = np.zeros(1000)
    change[n] = step
    up, down = (
      by_hand(SOUND + change, RATE, 16),
      by_hand(SOUND - change, RATE, 16),
    )
    wanted.append(np.sum(weight * (up - down)) / (2 * step))
  assert_close(
    found[np.array(at)], np.array(wanted), level="core", gradient=True
  )


def test_a_tone_has_a_quarter_of_its_square():
  """At a frequency of the transform, seen by two bands that sum to 1."""
  n = np.arange(100)
  sound = 0.5 * np.sin(2 * np.pi * 20 * n / 100)  # 800 Hz
  weights = filters(RATE, 16)
  power = np.exp(log_mel(jnp.asarray(sound, jnp.float32), RATE, 16))
  # The window lends a quarter of the power to both frequencies beside it.
  wanted = weights[:, 19:22] @ np.array([0.25, 1.0, 0.25]) * 0.5**2 / 4
  assert_close(power, np.maximum(wanted, 1e-4)[None], level="module")


def test_the_mel_scale():
  found = mel(np.array([0.0, 1000.0, 6300.0]))
  np.testing.assert_allclose(found, [0.0, 1000.0, 2595.0], atol=0.02)


@pytest.mark.parametrize("bands", [2, 16, 40])
def test_every_band_hears_something(bands):
  weights = filters(RATE, bands)
  assert weights.shape == (bands, 51)
  assert (weights.sum(axis=1) > 0).all() and weights.max() <= 1.0


def test_windows_are_whole_and_a_hop_apart():
  found = frames(jnp.arange(185.0), RATE)
  wanted = np.arange(100.0)[None] + 40 * np.arange(3)[:, None]
  np.testing.assert_array_equal(found, wanted)


def test_normalised_spectra_know_nothing_of_padding():
  spectra = generator.normal(2.0, 3.0, (6, 4)).astype(np.float32)
  valid = jnp.array([True, True, False, True, True, False])
  found = normalised(jnp.asarray(spectra).at[2].set(jnp.nan), valid)
  inside = spectra[np.asarray(valid)].astype(np.float64)
  wanted = np.zeros((6, 4))
  spread = np.sqrt(inside.var() + 1e-6)
  wanted[np.asarray(valid)] = (inside - inside.mean()) / spread
  assert_close(found, wanted, level="core")
  assert not normalised(jnp.zeros((6, 4)), jnp.zeros(6, bool)).any()


@pytest.mark.parametrize("count", [0, 40, 60, 99, 100])
def test_a_short_sound_has_no_window(count):
  found = log_mel(jnp.asarray(SOUND[:count]), RATE, 16)
  assert found.shape == (count // 100, 16)
