"""Log-mel spectra: a sound as a sequence of short windows, as it is heard."""

import functools
import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

WINDOW, HOP = 0.025, 0.010
"""How long a window is, and how far it is to the next one, in seconds."""


def mel(frequency: np.ndarray) -> np.ndarray:
  """2595 log₁₀(1 + f / 700): frequencies in Hz on the mel scale.

  (O'Shaughnessy 1987)
  """
  return 2595.0 * np.log10(1.0 + frequency / 700.0)


def log_mel(
  sound: Float[Array, "samples"], rate: int, bands: int, floor: float = 1e-4
) -> Float[Array, "s bands"]:
  """The log of the power of each window in each band.

  Formula: ln max(Σ_f B(m, f) |Σ_n w(n) x(n) e^(−2πi f n / N)|², floor), w the
  Hann window of N samples, divided by its sum, so that a tone of amplitude a
  has the power a² / 4; B triangles of height 1, evenly wide on the mel scale.

  Cost: O(N²) a window, by a matrix product, which is faster than transforms
  for the few samples of a window. (Davis & Mermelstein 1980)

  Args:
    sound: the samples.
    rate: samples a second.
    bands: how many triangles there are between 0 Hz and rate / 2.
    floor: the least power.
  """
  matrix = jnp.asarray(_transform(rate))
  spectrum = frames(sound, rate) @ matrix  # [s 2f]
  power = jnp.square(spectrum) @ jnp.asarray(_both(rate, bands))
  return jnp.log(jnp.maximum(power, floor))


def frames(
  sound: Float[Array, "samples"], rate: int
) -> Float[Array, "s window"]:
  """The windows of a sound that lie wholly in it."""
  size, hop = samples(WINDOW, rate), samples(HOP, rate)
  step = math.gcd(size, hop)
  count = max((len(sound) - size) // hop + 1, 0)
  if not count:
    return jnp.zeros((0, size), sound.dtype)
  # Windows are rows of pieces, which strided slices find without a gather.
  pieces = sound[: len(sound) // step * step].reshape(-1, step)
  stride = hop // step
  rows = [
    pieces[first : first + (count - 1) * stride + 1 : stride]
    for first in range(size // step)
  ]
  return jnp.concatenate(rows, axis=1)


def normalised(
  spectra: Float[Array, "s bands"], valid: Bool[Array, "s"]
) -> Float[Array, "s bands"]:
  """Mean 0 and variance 1 over all bands of the valid windows; else 0."""
  spectra = jnp.where(valid[:, None], spectra, 0.0)
  count = jnp.maximum(jnp.sum(valid), 1) * spectra.shape[1]
  apart = jnp.where(valid[:, None], spectra - jnp.sum(spectra) / count, 0.0)
  variance = jnp.sum(jnp.square(apart)) / count
  return apart / jnp.sqrt(variance + 1e-6)


def samples(seconds: float, rate: int) -> int:
  """A time in samples."""
  return round(seconds * rate)


@functools.cache
def filters(rate: int, bands: int) -> np.ndarray:
  """B, Float64[bands f]: the weight of every frequency in every band."""
  size = samples(WINDOW, rate)
  at = mel(np.arange(size // 2 + 1) * rate / size)
  ends = mel(np.array([0.0, rate / 2]))
  corners = np.linspace(ends[0], ends[1], bands + 2)
  rise = (at[None, :] - corners[:-2, None]) / (corners[1] - corners[0])
  fall = (corners[2:, None] - at[None, :]) / (corners[1] - corners[0])
  return np.maximum(np.minimum(rise, fall), 0.0)


@functools.cache
def _transform(rate: int) -> np.ndarray:
  """Cosines and sines of all frequencies under the window, [window 2f]."""
  size = samples(WINDOW, rate)
  n, f = np.arange(size)[:, None], np.arange(size // 2 + 1)[None, :]
  window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
  angle = 2 * np.pi * (n * f % size) / size
  both = np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
  return (both * (window / window.sum())[:, None]).astype(np.float32)


@functools.cache
def _both(rate: int, bands: int) -> np.ndarray:
  """The bands of the squared cosines and sines, [2f bands]."""
  return np.tile(filters(rate, bands), (1, 2)).T.astype(np.float32)
