"""Mamba against its equation, and how it begins."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.recurrence.mamba import Mamba
from tests.recurrence.equation import (
  assert_follows,
  inside,
  sigmoid,
  started,
)
from tests.recurrence.peer import X, parameters
from tests.tolerance import assert_close


def equation(given: Any, x: np.ndarray) -> np.ndarray:
  value = x @ given["value"]["kernel"]
  gate = x @ given["gate"]["kernel"]
  taps, rate = given["filter"], -np.exp(given["log_rate"])
  rank, n = given["step"]["kernel"].shape[0], rate.shape[1]
  h, y = np.zeros(rate.shape), []
  for t in range(len(x)):
    mixed = given["filter_bias"].copy()
    for lag in range(min(len(taps), t + 1)):
      mixed += taps[lag] * value[t - lag]
    u = mixed * sigmoid(mixed)
    low, write, read = np.split(
      u @ given["selection"]["kernel"], [rank, rank + n]
    )
    raw = low @ given["step"]["kernel"] + given["step"]["bias"]
    step = np.log1p(np.exp(raw))[:, None]
    h = np.exp(step * rate) * h + step * u[:, None] * write[None]
    out = h @ read + given["skip"] * u
    y.append(out * gate[t] * sigmoid(gate[t]))
  return np.array(y) @ given["out"]["kernel"]


@pytest.mark.parametrize("reverse", [False, True])
def test_it_follows_its_equation(reverse):
  forms = ("auto", "associative") if not reverse else ("auto",)
  layers = [
    Mamba(form=form, reverse=reverse, state=3, kernel_size=3, rank=2)
    for form in forms
  ]
  assert_follows(equation, layers, reverse=reverse)


def test_it_begins_as_in_the_paper():
  given = started(Mamba())
  wanted = np.tile(np.arange(1, 17), (128, 1))
  np.testing.assert_allclose(np.exp(given["log_rate"]), wanted, rtol=1e-6)
  np.testing.assert_array_equal(given["skip"], 1)
  kernel = np.abs(given["step"]["kernel"])
  assert kernel.shape == (4, 128)  # 64 / 16
  assert 0.45 < kernel.max() <= 0.5  # 4^−½
  step = np.log1p(np.exp(np.float64(given["step"]["bias"])))
  assert 1e-3 * 0.999 < step.min() < 2e-3 and 5e-2 < step.max() < 0.1 * 1.001
  assert abs(np.log(step).mean() - np.log(1e-2)) < 0.4
  for name in ("filter", "filter_bias"):
    taps = np.abs(given[name])
    assert taps.shape[0] in (4, 128) and 0.45 < taps.max() <= 0.5
  assert started(Mamba(), width=24)["step"]["kernel"].shape == (2, 48)


def test_its_steps_are_not_rounded_in_bfloat16():
  layer = Mamba(state=3, rank=2)
  given = parameters(layer)
  seen = inside(layer, given, X.astype(jnp.bfloat16))
  selection = seen["selection"]
  assert selection.dtype == seen["step"].dtype == jnp.float32
  rounded = selection.astype(jnp.bfloat16).astype(jnp.float32)
  assert np.mean(rounded != selection) > 0.5
  step = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), given["step"])
  wanted = np.asarray(selection[..., :2], np.float64) @ step["kernel"]
  assert_close(seen["step"], wanted + step["bias"], level="core")


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", ["expand", "state", "kernel_size"])
def test_what_is_out_of_range_is_refused(name):
  with pytest.raises(ValueError, match=f"{name} = 0; allowed: 1 or more"):
    Mamba(**{name: 0})
  with pytest.raises(ValueError, match="rank = -1; allowed: 0 or more"):
    Mamba(rank=-1)
