"""The minimal GRU against its equation."""

from typing import Any

import numpy as np
import pytest

from research.recurrence.min_gru import MinGRU
from tests.recurrence.equation import assert_follows, sigmoid


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
