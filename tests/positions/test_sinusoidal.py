"""Sinusoids against the formula in float64."""

import jax.numpy as jnp
import numpy as np
import pytest

from research.positions.sinusoidal import Sinusoidal
from tests.tolerance import assert_close


def test_waves_are_those_of_the_paper():
  positions = np.array([[0, 1, 4, 9, 11], [2, 3, 5, 6, 20]])
  x = jnp.zeros((2, 5, 6))
  y = Sinusoidal(base=100.0).apply({}, x, jnp.asarray(positions))
  angle = positions[..., None] * 100.0 ** (-np.arange(3) / 3)
  wanted = np.concatenate([np.sin(angle), np.cos(angle)], axis=-1)
  assert_close(y, wanted, level="module")


def test_refused():
  with pytest.raises(ValueError, match="base = -1.0; allowed: above 0"):
    Sinusoidal(base=-1.0)
