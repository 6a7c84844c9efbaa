"""Recurrent layers against torch, value and gradient, and the last states.

Torch has two biases for each sum. It concatenates both directions as they are;
the projection after its layers is what ours makes of other widths.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.mixer import Mixer
from research.places import Places
from research.recurrence.bidirectional import Bidirectional
from research.recurrence.elman import Elman
from research.recurrence.gru import GRU
from research.recurrence.lstm import LSTM
from research.recurrence.stacked import Stacked
from tests.golden.reading import Inputs, check, golden, linear
from tests.tolerance import assert_close

FILES = {
  "rnn_tanh": (Elman(hidden=3), (5, 3)),
  "rnn_relu": (Elman(hidden=3, activation="relu"), (5, 3)),
  "lstm": (LSTM(hidden=3), (5, 3)),
  "gru": (GRU(hidden=3), (5, 3)),
  "gru_both_ways": (Bidirectional(GRU(), GRU(reverse=True)), (3, 5)),
}
"""Ours, and the lengths of the rows."""


def rows(lengths: tuple[int, ...]) -> Places:
  """Places of rows of these lengths, padded on the right."""
  place = np.broadcast_to(np.arange(max(lengths)), (2, max(lengths)))
  valid = place < np.array(lengths)[:, None]
  return Places(jnp.asarray(place), jnp.asarray(valid, jnp.int32))


def cell(mixer: Mixer, inputs: Inputs, which: str) -> dict[str, Any]:
  """Parameters of one of our cells from those of torch's layer `which`."""
  weights = {
    ours: {"kernel": inputs[f"weight_{theirs}_{which}"].T}
    for ours, theirs in {"input": "ih", "recurrent": "hh"}.items()
  }
  ahead, back = (inputs[f"bias_{name}_{which}"] for name in ("ih", "hh"))
  if isinstance(mixer, GRU):
    # The reset gate acts on the product and its bias together.
    ahead, back = (bias.reshape(3, -1) for bias in (ahead, back))
    bias = ahead.at[:2].add(back[:2])
    return {**weights, "bias": bias, "inner_bias": back[2]}
  bias = ahead + back
  return {
    **weights,
    "bias": bias.reshape(4, -1) if isinstance(mixer, LSTM) else bias,
  }


def parameters(mixer: Mixer, inputs: Inputs) -> dict[str, Any]:
  """Of a cell with its projection, or of both directions."""
  if isinstance(mixer, Bidirectional):
    params = {
      "forward": cell(mixer.forward, inputs, "l0"),
      "backward": cell(mixer.backward, inputs, "l0_reverse"),
    }
  else:
    params = cell(mixer, inputs, "l0")
  return {"params": {**params, "out": linear(inputs["out"])}}


@pytest.mark.parametrize("name", FILES)
def test_it_agrees_with_torch(name):
  mixer, lengths = FILES[name]

  def function(inputs: Inputs) -> jax.Array:
    where = rows(lengths)
    return mixer.apply(parameters(mixer, inputs), inputs["x"], where)

  check(name, function)


def test_two_layers_agree_with_torch():
  mixer = Stacked((LSTM(remat=2), LSTM()))

  def function(inputs: Inputs) -> jax.Array:
    params = {f"mixers_{i}": cell(LSTM(), inputs, f"l{i}") for i in range(2)}
    y = mixer.apply({"params": params}, inputs["x"], rows((5, 3)))
    return y @ inputs["out"].T

  check("lstm_of_two", function)


@pytest.mark.parametrize("name", ["rnn_tanh", "rnn_relu", "lstm", "gru"])
def test_the_state_after_each_row_is_that_of_torch(name):
  mixer, lengths = FILES[name]
  file = golden(name)
  inputs = {
    key.removeprefix("in."): jnp.asarray(value)
    for key, value in file.items()
    if key.startswith("in.")
  }
  _, new = mixer.apply(
    parameters(mixer, inputs), inputs["x"], rows(lengths), mutable=["cache"]
  )
  found = new["cache"]
  assert found.pop("segment").tolist() == [1, 1]
  wanted = {part: file[part][0] for part in found}
  assert len(wanted) == (2 if name == "lstm" else 1)
  assert_close(found, wanted, level="module")
