"""The linear recurrent unit against its equation, and its ring."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.recurrence.lru import LRU
from tests.recurrence.equation import assert_follows, both, started
from tests.recurrence.test_s4d import gelu_glu


def equation(given: Any, x: np.ndarray) -> np.ndarray:
  decay = np.exp(-np.exp(given["log_decay"]) + 1j * np.exp(given["log_phase"]))
  gain = np.exp(given["log_gain"])
  h, y = np.zeros(decay.shape, complex), []
  for u in x:
    h = decay * h + gain * (both(given["input"]) @ u)
    y.append((both(given["output"]) @ h).real + given["skip"] * u)
  return gelu_glu(given, np.array(y))


def test_it_follows_its_equation():
  layers = [LRU(form=form, state=5) for form in ("auto", "associative")]
  assert_follows(equation, layers)


def test_it_begins_on_its_ring():
  given = started(LRU(state=4000, r_min=0.8, r_max=0.95, max_phase=0.5), 4)
  size = np.exp(-np.exp(np.float64(given["log_decay"])))
  assert 0.8 - 1e-6 < size.min() < 0.801 and 0.949 < size.max() < 0.95 + 1e-6
  # |λ|² is uniform, and the angle.
  share = np.sort((size**2 - 0.8**2) / (0.95**2 - 0.8**2))
  assert np.abs(share - np.linspace(0, 1, 4000)).max() < 0.03
  angle = np.sort(np.exp(np.float64(given["log_phase"]))) / 0.5
  assert np.abs(angle - np.linspace(0, 1, 4000)).max() < 0.03
  np.testing.assert_allclose(
    np.exp(given["log_gain"]), np.sqrt(1 - size**2), rtol=1e-5
  )
  # Of both parts: 1 / (2 d) and 1 / n.
  np.testing.assert_allclose(np.var(given["input"]), 1 / 8, rtol=0.05)
  np.testing.assert_allclose(np.var(given["output"]), 1 / 4000, rtol=0.05)


def test_a_whole_disc_is_finite():
  given = started(LRU(state=1000))
  assert all(np.isfinite(given[name]).all() for name in given if "log" in name)


@pytest.mark.parametrize("r_min", [0.0, 0.99])
@pytest.mark.parametrize("share", [0.0, 1 - 2**-24])
def test_the_ends_of_its_ring_are_finite(share, r_min, monkeypatch):
  """|λ|² of the second share rounds to 1 in float32."""

  def draw(key: Any, shape: Any, minval: float = 0.0) -> Any:
    return jnp.full(shape, max(share, minval))

  monkeypatch.setattr(jax.random, "uniform", draw)
  given = started(LRU(state=2, r_min=r_min), 4)
  assert all(np.isfinite(given[name]).all() for name in given if "log" in name)
  gap = min((1 - share) * (1 - r_min**2), 1 - 2**-23)
  wanted = np.log(-np.log1p(-gap) / 2)
  np.testing.assert_allclose(given["log_decay"], wanted, rtol=1e-6)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ({"state": 0}, "state = 0; allowed: 1 or more"),
    ({"r_min": 0.9, "r_max": 0.5}, "r_min = 0.9, r_max = 0.5; allowed: 0 <="),
    ({"r_max": 1.5}, "r_min = 0.0, r_max = 1.5; allowed: 0 <= r_min"),
    ({"max_phase": 0.0}, "max_phase = 0.0; allowed: above 0, at most 2 pi"),
  ],
)
def test_what_is_out_of_range_is_refused(fields, message):
  with pytest.raises(ValueError, match=message):
    LRU(**fields)
