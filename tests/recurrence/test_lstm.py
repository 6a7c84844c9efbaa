"""The LSTM against flax, its start and its fields."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.recurrence.lstm import LSTM
from tests.recurrence.peer import PLACES, D, X, assert_agrees


def copied(ours: Any) -> Any:
  """Our parameters, gate by gate, as flax names them."""
  inputs = jnp.split(ours["input"]["kernel"], 4, axis=1)
  recurrent = jnp.split(ours["recurrent"]["kernel"], 4, axis=1)
  theirs = {}
  for gate, name in enumerate("ifgo"):
    bias = ours["bias"][gate]
    theirs[f"i{name}"] = {"kernel": inputs[gate]}
    theirs[f"h{name}"] = {"kernel": recurrent[gate], "bias": bias}
  return theirs


@pytest.mark.parametrize(
  "layer",
  [LSTM(), LSTM(hidden=5, reverse=True)],
  ids=["forward", "backward and wide"],
)
def test_it_agrees_with_flax(layer):
  assert_agrees(layer, nn.OptimizedLSTMCell, copied)


def test_it_starts_by_remembering():
  start = LSTM().init(jax.random.key(0), X, PLACES)["params"]
  wanted = np.zeros((4, D))
  wanted[1] = 1.0
  np.testing.assert_array_equal(start["bias"], wanted)


def test_a_negative_size_is_refused():
  with pytest.raises(ValueError, match="hidden = -1; allowed: 0 or more"):
    LSTM(hidden=-1)
