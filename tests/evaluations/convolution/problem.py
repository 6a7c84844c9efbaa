"""Packed rows, and the convolution by its definition in float64."""

import numpy as np

# More than twice the longest matrix product, so that all kinds of joins run.
B, T, D = 4, 80, 4

generator = np.random.default_rng(7)
X = generator.normal(size=(B, T, D)).astype(np.float32)
SEED = generator.normal(size=(B, T, D)).astype(np.float32)
PACKED = np.ones((B, T), np.int32)
# Ragged pieces, pieces that end on borders of blocks, and padding around.
PACKED[1] = 9 - np.repeat(np.arange(8), [1, 2, 3, 20, 9, 30, 14, 1])
PACKED[2] = np.repeat([1, 2, 5, 3], [16, 16, 32, 16])
PACKED[3] = np.repeat([0, 1, 0, 2, 0], [5, 40, 3, 30, 2])
# One segment a row at most, for which there is a faster way.
APART = np.ones((B, T), np.int32)
APART[1] = np.repeat([2, 0], [70, 10])
APART[2] = 0
APART[3] = np.repeat([0, 3, 0], [5, 70, 5])


def weights(*shape: int) -> np.ndarray:
  """A filter whose sums have the size of what they sum."""
  drawn = generator.normal(size=shape) / np.sqrt(np.prod(shape[:-1]))
  return drawn.astype(np.float32)


def mixed(
  w: np.ndarray,
  ahead: int,
  dilation: int,
  segments: np.ndarray,
  x: np.ndarray = X,
  seed: np.ndarray = SEED,
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
  """Values and gradients of Σ_i x_{t + ahead − i dilation} W_i, in float64.

  The matrices w [s d o] hold zeros where channels do not see each other.
  """
  x, w, seed = (np.asarray(a, np.float64) for a in (x, w, seed))
  y = np.zeros(x.shape[:2] + w.shape[2:])
  slopes = np.zeros_like(x), np.zeros_like(w)
  for tap, (b, t) in (
    (tap, where) for tap in range(len(w)) for where in np.ndindex(y.shape[:2])
  ):
    s = t + ahead - tap * dilation
    if 0 <= s < x.shape[1] and segments[b, s] == segments[b, t] > 0:
      y[b, t] += x[b, s] @ w[tap]
      slopes[0][b, s] += w[tap] @ seed[b, t]
      slopes[1][tap] += np.outer(x[b, s], seed[b, t])
  return y, slopes


def diagonal(w: np.ndarray) -> np.ndarray:
  """A filter a channel, [s d], as matrices [s d d]."""
  return w[:, :, None] * np.eye(w.shape[1])
