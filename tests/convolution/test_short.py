"""The short convolution by its formula, and what it refuses."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.convolution.short import ShortConvolution
from research.places import whole
from tests.formula import assert_is, convolved, exact
from tests.tolerance import assert_close

B, T, D = 2, 8, 4
X = jnp.asarray(np.random.default_rng(3).normal(size=(B, T, D)), jnp.float32)


def formula(silu: bool, ahead: int) -> Any:
  """W_o (gate(W_g x + β) ⊙ Σ_i w_i ⊙ W_v x_{t + ahead − i})."""

  def call(given: Any, x: Any) -> Any:
    mixed = convolved(x @ given["value"]["kernel"], given["filter"], ahead)
    gate = x @ given["gate"]["kernel"] + given["gate"]["bias"]
    if silu:
      gate = gate / (1 + np.exp(-gate))
    return (gate * mixed) @ given["out"]["kernel"]

  return call


@pytest.mark.parametrize(
  ("mixer", "silu", "ahead"),
  [
    (ShortConvolution(), True, 0),
    (ShortConvolution(kernel_size=5, centred=True, gate="linear"), False, 2),
    (ShortConvolution(kernel_size=11), True, 0),
  ],
)
def test_it_is_its_formula(mixer, silu, ahead):
  assert_is(mixer, formula(silu, ahead), X)


def test_a_single_tap_is_causal_either_way():
  for centred in (False, True):
    mixer = ShortConvolution(kernel_size=1, centred=centred)
    assert mixer.causal and mixer.state_size(D, T) == 0
    variables = mixer.init(jax.random.key(0), X, whole(X))
    y, _ = mixer.apply(variables, X, whole(X), mutable=["cache"])
    wanted = formula(True, 0)(*exact((variables["params"], X)))
    assert_close(y, wanted, level="module")


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ({"kernel_size": 0}, "kernel_size = 0; allowed: 1 or more"),
    (
      {"kernel_size": 4, "centred": True},
      "kernel_size = 4 with centred = True; allowed: an odd number",
    ),
    ({"gate": "relu"}, "gate = 'relu'; allowed: 'linear', 'silu'"),
  ],
)
def test_what_does_not_fit_is_refused(fields, message):
  with pytest.raises(ValueError, match=message):
    ShortConvolution(**fields)
