"""The GRU against flax, and its fields."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import pytest

from research.recurrence.gru import GRU
from tests.recurrence.peer import assert_agrees


def copied(ours: Any) -> Any:
  """Our parameters, gate by gate, as flax names them."""
  inputs = jnp.split(ours["input"]["kernel"], 3, axis=1)
  recurrent = jnp.split(ours["recurrent"]["kernel"], 3, axis=1)
  theirs = {}
  for gate, name in enumerate("rzn"):
    theirs[f"i{name}"] = {"kernel": inputs[gate], "bias": ours["bias"][gate]}
    theirs[f"h{name}"] = {"kernel": recurrent[gate]}
  theirs["hn"]["bias"] = ours["inner_bias"]
  return theirs


@pytest.mark.parametrize(
  "layer",
  [GRU(), GRU(hidden=3, reverse=True)],
  ids=["forward", "backward and narrow"],
)
def test_it_agrees_with_flax(layer):
  assert_agrees(layer, nn.GRUCell, copied)


def test_a_negative_size_is_refused():
  with pytest.raises(ValueError, match="hidden = -1; allowed: 0 or more"):
    GRU(hidden=-1)
