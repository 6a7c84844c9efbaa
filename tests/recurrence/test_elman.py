"""The plain recurrence against its formula in float64, and its fields."""

import functools
from typing import Any

import jax
import numpy as np
import pytest

from research.recurrence.elman import Elman
from tests.formula import assert_is
from tests.recurrence.peer import PLACES, VALID, D, X


def slow(layer: Elman, parameters: Any, x: np.ndarray) -> np.ndarray:
  """y_t = φ(W x_t + U y_{t−1} + b), row by row; zero on padding."""
  y = np.zeros_like(x + parameters["bias"][0])
  for row, valid in enumerate(VALID):
    order = np.flatnonzero(valid)
    state = np.zeros_like(parameters["bias"])
    for t in order[::-1] if layer.reverse else order:
      inner = (
        x[row, t] @ parameters["input"]["kernel"]
        + state @ parameters["recurrent"]["kernel"]
        + parameters["bias"]
      )
      # A product, as ReLU has to carry complex numbers.
      state = (
        np.tanh(inner)
        if layer.activation == "tanh"
        else (inner * (inner.real > 0))
      )
      out = parameters.get("out", {"kernel": np.eye(D)})
      y[row, t] = state @ out["kernel"]
  return y


@pytest.mark.parametrize(
  "layer",
  [Elman(), Elman(hidden=3, reverse=True, activation="relu")],
  ids=["tanh", "backward and narrow relu"],
)
def test_it_agrees_with_the_formula(layer):
  assert_is(layer, functools.partial(slow, layer), X, PLACES, moved=0.1)


def test_it_starts_as_the_identity_if_asked():
  layer = Elman(hidden=3, activation="relu", identity=True)
  start = layer.init(jax.random.key(0), X, PLACES)["params"]
  np.testing.assert_array_equal(start["recurrent"]["kernel"], np.eye(3))
  assert start["input"]["kernel"].shape == (D, 3)
  assert not start["bias"].any()


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ({"activation": "sigmoid"}, "activation = 'sigmoid'; allowed: 'tanh', 'r"),
    ({"hidden": -1}, "hidden = -1; allowed: 0 or more"),
    ({"hidden": 1.5}, "hidden = 1.5; allowed: an integer, 0 or more"),
    ({"remat": -2}, "remat = -2; allowed: the steps of a chunk, 1 or more"),
    ({"remat": "half"}, "remat = 'half'; allowed: .* 'root' for about"),
  ],
)
def test_other_fields_are_refused(fields, message):
  with pytest.raises(ValueError, match=message):
    Elman(**fields)
