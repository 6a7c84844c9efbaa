"""The minimal GRU against its equation."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from research.recurrence.min_gru import MinGRU
from tests.recurrence.equation import assert_follows, inside, sigmoid
from tests.recurrence.peer import X, parameters
from tests.tolerance import assert_close


def equation(candidate: str) -> Any:
  def outputs(given: Any, x: np.ndarray) -> np.ndarray:
    z = sigmoid(x @ given["gate"]["kernel"] + given["gate"]["bias"])
    new = x @ given["candidate"]["kernel"] + given["candidate"]["bias"]
    if candidate == "positive":
      new = np.where(new >= 0, new + 0.5, sigmoid(new))
    h, y = np.zeros(z.shape[1]), []
    for t in range(len(x)):
      h = (1 - z[t]) * h + z[t] * new[t]
      y.append(h)
    return np.array(y) @ given.get("out", {"kernel": np.eye(4)})["kernel"]

  return outputs


@pytest.mark.parametrize(
  ("candidate", "hidden", "reverse"),
  [("linear", 0, False), ("positive", 6, False), ("linear", 3, True)],
)
def test_it_follows_its_equation(candidate, hidden, reverse):
  layer = MinGRU(hidden=hidden, candidate=candidate, reverse=reverse)
  assert_follows(equation(candidate), [layer], reverse=reverse)


def test_its_gates_are_not_rounded_in_bfloat16():
  layer, x = MinGRU(), X.astype(jnp.bfloat16)
  given = parameters(layer)
  seen = inside(layer, given, x)
  for name in ("gate", "candidate"):
    kernel = np.asarray(given[name]["kernel"].astype(x.dtype), np.float64)
    wanted = np.asarray(x, np.float64) @ kernel
    wanted += np.asarray(given[name]["bias"], np.float64)
    assert seen[name].dtype == jnp.float32
    assert_close(seen[name], wanted, level="core")


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ({"hidden": -1}, "hidden = -1; allowed: 0 or more"),
    ({"candidate": "log"}, "candidate = 'log'; allowed: 'linear', 'positive'"),
    ({"form": "fft"}, "form = 'fft'; allowed: 'auto', 'serial', 'assoc"),
  ],
)
def test_what_is_out_of_range_is_refused(fields, message):
  with pytest.raises(ValueError, match=message):
    MinGRU(**fields)
