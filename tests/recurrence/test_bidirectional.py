"""Two directions against each of them alone, and by flipping by hand."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.recurrence.bidirectional import Bidirectional
from research.recurrence.gru import GRU
from research.recurrence.lstm import LSTM
from tests.recurrence.peer import LENGTHS, PLACES, VALID, X
from tests.tolerance import assert_close

FORWARD, BACKWARD = GRU(), LSTM(reverse=True)


def flipped(x: Any) -> Any:
  """Each row from its last token to its first, padding left where it is."""
  x = np.array(x)
  for row, length in enumerate(LENGTHS):
    x[row, :length] = x[row, :length][::-1]
  return jnp.asarray(x)


@pytest.mark.parametrize("join", ["concatenate", "sum"])
def test_it_joins_both_directions(join):
  layer = Bidirectional(FORWARD, BACKWARD, join)
  variables = layer.init(jax.random.key(0), X, PLACES)
  parameters = variables["params"]
  left = FORWARD.apply({"params": parameters["forward"]}, X, PLACES)
  # The backward half from left to right, on rows that were turned around.
  right = LSTM().apply({"params": parameters["backward"]}, flipped(X), PLACES)
  right = flipped(right)
  if join == "sum":
    wanted = left + right
  else:
    kernel = parameters["out"]["kernel"]
    wanted = jnp.concatenate([left, right], axis=-1) @ kernel
  y = layer.apply(variables, X, PLACES)
  assert_close(y, np.asarray(wanted), level="module")
  assert not np.asarray(y)[~VALID].any()
  at = jnp.array([[5, 0], [2, 5]])
  asked = np.take_along_axis(np.asarray(wanted), at[..., None], axis=1)
  assert_close(layer.apply(variables, X, PLACES, at=at), asked, level="module")


def test_it_carries_both_states():
  layer = Bidirectional(FORWARD, BACKWARD)
  assert layer.state_size(4, 10) == 4 + 2 * 4


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
  ("forward", "backward", "join", "message"),
  [
    (BACKWARD, BACKWARD, "sum", "forward = LSTM is not causal; allowed: a"),
    (FORWARD, FORWARD, "sum", "backward = GRU is causal; allowed: a mixer"),
    (FORWARD, BACKWARD, "mean", "join = 'mean'; allowed: 'concatenate', 's"),
  ],
)
def test_what_does_not_fit_is_refused(forward, backward, join, message):
  with pytest.raises(ValueError, match=message):
    Bidirectional(forward, backward, join)
