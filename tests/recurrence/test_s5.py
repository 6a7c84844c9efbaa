"""S5 against its equation, and HiPPO against its definition."""

from typing import Any

import numpy as np
import pytest
from scipy.special import erf

from research.recurrence.s5 import S5, hippo
from tests.recurrence.equation import assert_follows, both, sigmoid, started


def equation(given: Any, x: np.ndarray) -> np.ndarray:
  rate = -np.exp(given["log_decay"]) + 1j * given["frequency"]
  a = np.exp(np.exp(given["log_step"]) * rate)
  b = ((a - 1) / rate)[:, None] * both(given["input"])
  h, y = np.zeros(rate.shape, complex), []
  for u in x:
    h = a * h + b @ u
    y.append(2 * (both(given["output"]) @ h).real + given["skip"] * u)
  y = np.array(y)
  y = y * (1 + erf(y / np.sqrt(2))) / 2
  return y * sigmoid(y @ given["gate"]["kernel"] + given["gate"]["bias"])


def test_it_follows_its_equation():
  layers = [S5(form=form, state=8, blocks=2) for form in ("auto", "chunked")]
  assert_follows(equation, layers)


def test_it_follows_its_equation_in_reverse():
  assert_follows(equation, [S5(state=4, reverse=True)], reverse=True)


def test_hippo_is_the_normal_part_of_its_definition():
  size = 8
  n = np.arange(size)
  legs = np.tril(np.sqrt((2 * n[:, None] + 1) * (2 * n[None] + 1)), -1)
  legs = -(legs + np.diag(n + 1))
  root = np.sqrt(n + 0.5)
  normal = legs + np.outer(root, root)
  values, vectors = hippo(size)
  np.testing.assert_allclose(normal @ vectors, vectors * values, atol=1e-12)
  np.testing.assert_allclose(
    vectors.conj().T @ vectors, np.eye(size // 2), atol=1e-12
  )
  assert (values.imag > 0).all() and (np.diff(values.imag) > 0).all()
  assert (vectors[0].real > 0).all() and not np.abs(
    vectors[0].imag
  ).max() > 1e-12


def test_it_begins_as_in_the_paper():
  given = started(S5(state=64, blocks=4))
  values, vectors = hippo(16)
  np.testing.assert_allclose(
    given["frequency"], np.tile(values.imag, 4), rtol=1e-6
  )
  np.testing.assert_allclose(np.exp(given["log_decay"]), 0.5, rtol=1e-6)
  steps = np.asarray(given["log_step"])
  assert steps.shape == (32,)
  assert np.log(1e-3) <= steps.min() < steps.max() <= np.log(1e-1)
  assert steps.max() - steps.min() > 2
  # B = V⁻¹ B' for a real B': the pairs of V give it back, block by block.
  b = both(np.float64(given["input"])).reshape(4, 8, 64)
  back = 2 * np.real(np.einsum("nm,jmd->jnd", vectors, b))
  np.testing.assert_allclose(np.var(back), 1 / 64, rtol=0.1)
  np.testing.assert_allclose(
    np.einsum("nm,jnd->jmd", vectors.conj(), back), b, atol=1e-6
  )
  c = both(np.float64(given["output"]))
  np.testing.assert_allclose(np.mean(np.abs(c) ** 2), 2 / 64, rtol=0.1)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ({"state": 7}, "state = 7 with blocks = 1; allowed: a multiple of 2 bl"),
    ({"state": 8, "blocks": 8}, "state = 8 with blocks = 8; allowed: a mult"),
    ({"blocks": 0}, "blocks = 0; allowed: 1 or more"),
    ({"most_step": 1e-4}, "least_step = 0.001, most_step = 0.0001; allowed"),
  ],
)
def test_what_is_out_of_range_is_refused(fields, message):
  with pytest.raises(ValueError, match=message):
    S5(**fields)
