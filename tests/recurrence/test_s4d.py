"""S4D against its equation, in every form, and how it begins."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.signal import cont2discrete
from scipy.special import erf

from research.recurrence.layer import discretize
from research.recurrence.s4d import S4D, _kernel
from tests.recurrence.equation import (
  assert_follows,
  both,
  sigmoid,
  started,
)

FORMS = ("convolution", "serial", "associative", "chunked")


def gelu_glu(given: Any, y: np.ndarray) -> np.ndarray:
  """GLU(W GELU(y) + β)."""
  y = y * (1 + erf(y / np.sqrt(2))) / 2
  y = y @ given["out"]["kernel"] + given["out"]["bias"]
  left, right = np.split(y, 2, axis=-1)
  return left * sigmoid(right)


def equation(rule: str) -> Any:
  def outputs(given: Any, x: np.ndarray) -> np.ndarray:
    rate = -np.exp(given["log_decay"]) + 1j * given["frequency"]
    step = np.exp(given["log_step"])[:, None]
    if rule == "zoh":
      a = np.exp(step * rate)
      b = (a - 1) / rate
    else:
      a = (1 + step * rate / 2) / (1 - step * rate / 2)
      b = step / (1 - step * rate / 2)
    h, y = np.zeros(rate.shape, complex), []
    for u in x:
      h = a * h + b * u[:, None]
      y.append(2 * np.sum(both(given["output"]) * h, axis=1).real)
    return gelu_glu(given, np.array(y) + given["skip"] * x)

  return outputs


@pytest.mark.parametrize(
  ("rule", "reverse"), [("zoh", False), ("zoh", True), ("bilinear", False)]
)
def test_it_follows_its_equation_in_every_form(rule, reverse):
  layers = [
    S4D(form=form, reverse=reverse, state=4, discretization=rule)
    for form in (FORMS if rule == "zoh" else FORMS[:2])
  ]
  assert_follows(equation(rule), layers, reverse=reverse)


@pytest.mark.parametrize("rule", ["zoh", "bilinear"])
def test_the_equation_is_the_discretisation_of_scipy(rule):
  """Of h' = λ h + u, written with real matrices."""
  decay, turn, step = 0.5, 3.0, 0.1
  matrices = (
    np.array([[-decay, -turn], [turn, -decay]]),
    np.array([[1.0], [0.0]]),
    np.eye(2),
    np.zeros((2, 1)),
  )
  a, b, *_ = cont2discrete(matrices, step, method=rule)
  rate = jnp.complex64(-decay + 1j * turn)
  log_a, c = discretize(rate, jnp.float32(step), rule)
  found = np.exp(np.complex128(log_a))
  np.testing.assert_allclose([found.real, found.imag], a[:, 0], rtol=1e-6)
  np.testing.assert_allclose([c.real, c.imag], b[:, 0], rtol=1e-6, atol=1e-8)


def test_it_begins_as_in_the_paper():
  given = started(S4D(state=32))
  np.testing.assert_allclose(np.exp(given["log_decay"]), 0.5, rtol=1e-6)
  wanted = np.tile(np.pi * np.arange(16), (64, 1))
  np.testing.assert_allclose(given["frequency"], wanted, rtol=1e-6)
  steps = np.asarray(given["log_step"])
  assert np.log(1e-3) <= steps.min() < np.log(2e-3)
  assert np.log(5e-2) < steps.max() <= np.log(1e-1)
  assert abs(np.mean(steps) - np.log(1e-2)) < 0.5
  np.testing.assert_allclose(np.var(given["output"]), 0.5, rtol=0.1)
  np.testing.assert_allclose(np.var(given["skip"]), 1.0, rtol=0.4)
  inverse = started(S4D(state=4, frequencies="inverse"))["frequency"]
  # N (N / (2 n + 1) − 1) / π at N = 4.
  np.testing.assert_allclose(inverse[0], [12 / np.pi, 4 / 3 / np.pi], rtol=1e-6)


def test_a_long_kernel_keeps_its_digits():
  rate = np.array([[-0.5, -0.5 + 1j * np.pi * 15]])
  step, length = 1e-3, 5000
  log_a = jnp.asarray(step * rate, jnp.complex64)
  found = _kernel(length, log_a, jnp.ones((1, 2), jnp.complex64))
  lags = np.arange(length)[:, None, None]
  wanted = 2 * np.exp(lags * np.complex128(log_a)).sum(axis=2).real
  np.testing.assert_allclose(found, wanted, atol=4e-5)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ({"state": 0}, "state = 0; allowed: 2 or more"),
    ({"state": 5}, "state = 5; allowed: an even number"),
    ({"form": "fft"}, "form = 'fft'; allowed: 'auto', 'serial'"),
    ({"frequencies": "real"}, "frequencies = 'real'; allowed: 'linear'"),
    ({"discretization": "foh"}, "discretization = 'foh'; allowed: 'zoh'"),
    ({"least_step": 0.2}, "least_step = 0.2, most_step = 0.1; allowed: 0 <"),
    ({"least_step": 0.0}, "least_step = 0.0, most_step = 0.1; allowed: 0 <"),
    ({"most_step": np.inf}, "most_step = inf; allowed: 0 < .*, both finite"),
  ],
)
def test_what_is_out_of_range_is_refused(fields, message):
  with pytest.raises(ValueError, match=message):
    S4D(**fields)
