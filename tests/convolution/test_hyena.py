"""Hyena by its formula, for two gates and for more, and what it refuses."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.convolution.hyena import Hyena
from research.places import whole
from tests.formula import assert_is, convolved

B, T, D = 1, 7, 2
X = jnp.asarray(np.random.default_rng(3).normal(size=(B, T, D)), jnp.float32)


def filters(mixer: Hyena, given: Any) -> Any:
  """h [lag (N − 1) d], without the skip."""
  lag = np.arange(T)[:, None] / mixer.horizon
  pitches = np.linspace(1e-4, mixer.bands - 1, mixer.bands)
  angle = 2 * np.pi * lag * pitches
  h = np.concatenate([lag, np.cos(angle), -np.sin(angle)], axis=1)
  inner = [f"filter_{n}" for n in range(mixer.layers)]
  for name in ("filter_in", *inner):
    h = h @ given[name]["kernel"] + given[name]["bias"]
    h = np.sin(given["frequency"] * h)
  h = h @ given["filter_out"]["kernel"]
  # One hundredth is left after 1.5 horizons, and after 0.3.
  slow, fast = np.log(100) / 1.5, np.log(100) / 0.3
  return h * np.exp(-lag * np.linspace(slow, fast, h.shape[1]))


def formula(mixer: Hyena) -> Any:
  """z ← x^n ⊙ (h^n ∗ z + D^n ⊙ z), from z = x^1 ⊙ v."""

  def call(given: Any, x: Any) -> Any:
    y = x @ given["in"]["kernel"] + given["in"]["bias"]
    y = convolved(y, given["filter"]) + given["filter_bias"]
    *gates, v = np.split(y, mixer.order + 1, axis=-1)
    h = filters(mixer, given)
    z = gates[0] * v
    for n, gate in enumerate(gates[1:]):
      own = slice(n * D, (n + 1) * D)
      z = gate * (convolved(z, h[:, own]) + given["skip"][own] * z)
    return z @ given["out"]["kernel"] + given["out"]["bias"]

  return call


@pytest.mark.parametrize(
  "mixer",
  [
    Hyena(horizon=8, hidden=5),
    Hyena(order=3, kernel_size=2, horizon=16, bands=2, hidden=3, layers=1),
  ],
  ids=["two", "three"],
)
def test_it_is_its_formula(mixer):
  assert_is(mixer, formula(mixer), X)


def test_it_begins_as_the_authors_do():
  wide = jnp.zeros((1, 2, 256))
  given = Hyena().init(jax.random.key(0), wide, whole(wide))["params"]
  assert given["filter"].shape == (3, 3 * 256)
  assert 0.56 < np.abs(given["filter"]).max() <= 1 / np.sqrt(3)
  assert 0.56 < np.abs(given["filter_bias"]).max() <= 1 / np.sqrt(3)
  for name in ("filter_0", "filter_1", "filter_out"):
    assert abs(given[name]["kernel"].std() - 0.02) < 0.002
  assert given["filter_in"]["kernel"].shape == (3, 64)
  assert (given["frequency"] == 1).all() and "filter_2" not in given
  assert abs(given["skip"].std() - 1) < 0.2


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ({"order": 1}, "order = 1; allowed: 2 or more"),
    ({"kernel_size": 0}, "kernel_size = 0; allowed: 1 or more"),
    ({"horizon": 0}, "horizon = 0; allowed: 1 or more"),
    ({"bands": 0}, "bands = 0; allowed: 1 or more"),
    ({"hidden": 0}, "hidden = 0; allowed: 1 or more"),
    ({"layers": -1}, "layers = -1; allowed: 0 or more"),
  ],
)
def test_what_does_not_fit_is_refused(fields, message):
  with pytest.raises(ValueError, match=message):
    Hyena(**fields)
