"""The discretisation that state-space layers share, over all sizes of z."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.recurrence.layer import discretize
from tests.tolerance import assert_close

TURNS = np.exp(1j * np.linspace(np.pi / 2 + 0.01, np.pi, 5))


@pytest.mark.parametrize("rule", ["zoh", "bilinear"])
def test_no_digits_are_lost_at_any_step(rule):
  """Values and ∂c/∂λ, for |Δ λ| from 1e-5 to 8."""

  @jax.jit
  def run(rate: jax.Array, step: jax.Array) -> tuple[jax.Array, ...]:
    log_a, _ = discretize(rate, step, rule)
    c, back = jax.vjp(lambda rate: discretize(rate, step, rule)[1], rate)
    return log_a, c, back(jnp.ones_like(c))[0]

  for size in (1e-5, 1e-3, 0.1, 0.99, 1.01, 3.0, 8.0):
    rate = jnp.asarray(size / 0.1 * TURNS, jnp.complex64)
    log_a, c, slope = run(rate, jnp.float32(0.1))
    exact, step = np.complex128(rate), np.float64(np.float32(0.1))
    z = step * exact
    if rule == "zoh":
      wanted = z, step * _phi(z), step**2 * _phi_slope(z)
    else:
      back = 1 - z / 2
      wanted = np.log((1 + z / 2) / back), step / back, step**2 / 2 / back**2
    for found, value, gradient in (
      (c, wanted[1], False),
      (slope, wanted[2], True),
    ):
      assert_close(found.real, value.real, level="core", gradient=gradient)
      assert_close(found.imag, value.imag, level="core", gradient=gradient)
    assert_close(log_a.real, wanted[0].real, level="core")
    turned = np.exp(1j * (np.float64(log_a.imag) - wanted[0].imag))
    np.testing.assert_allclose(turned, 1, atol=2e-6)


def _phi(z: np.ndarray) -> np.ndarray:
  """(exp(z) − 1) / z, by its series near zero."""
  series = sum(z**n / math.factorial(n + 1) for n in range(30))
  return np.where(np.abs(z) < 2, series, np.expm1(z) / z)


def _phi_slope(z: np.ndarray) -> np.ndarray:
  series = sum(n * z ** (n - 1) / math.factorial(n + 1) for n in range(1, 30))
  return np.where(np.abs(z) < 2, series, (np.exp(z) - np.expm1(z) / z) / z)
