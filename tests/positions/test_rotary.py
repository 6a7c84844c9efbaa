"""Rotary positions against complex numbers in float64."""

import jax.numpy as jnp
import numpy as np
import pytest

from research.positions.rotary import Rotary
from tests.tolerance import assert_close


def test_pairs_turn_by_their_angle():
  generator = np.random.default_rng(3)
  x = generator.normal(size=(2, 2, 5, 2, 6))
  positions = np.array([[[0, 1, 4, 9, 11]] * 2, [[2, 3, 5, 6, 20]] * 2])
  given = jnp.asarray(x, jnp.float32), jnp.asarray(positions)
  turned = Rotary(base=100.0).apply({}, *given[0], *given[1], method="rotate")
  x = np.asarray(given[0], np.float64)
  angle = positions[..., None, None] * 100.0 ** (-np.arange(3) / 3)
  pairs = (x[..., :3] + 1j * x[..., 3:]) * np.exp(1j * angle)
  wanted = np.concatenate([pairs.real, pairs.imag], axis=-1)
  assert_close(turned, tuple(wanted), level="module")


def test_refused():
  with pytest.raises(ValueError, match="base = 0.0; allowed: above 0"):
    Rotary(base=0.0)
