"""The free filter: its formula, and no token beyond its length."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.convolution.free import FreeConvolution
from research.places import whole
from tests.formula import assert_is, convolved

B, T, D = 1, 6, 3
X = jnp.asarray(np.random.default_rng(3).normal(size=(B, T, D)), jnp.float32)


def formula(gate: str) -> Any:
  """W_o (gate(W_g x_t + β) ⊙ Σ_{i≤t} w_i ⊙ W_v x_{t−i}) in NumPy."""

  def call(given: Any, x: Any) -> Any:
    values = x @ given["value"]["kernel"]
    y = convolved(values, given["filter"])
    opening = x @ given["gate"]["kernel"] + given["gate"]["bias"]
    if gate == "silu":
      opening = opening / (1 + np.exp(-opening))
    return (opening * y) @ given["out"]["kernel"]

  return call


@pytest.mark.parametrize(("length", "gate"), [(T, "silu"), (T + 3, "linear")])
def test_it_is_its_formula(length, gate):
  mixer = FreeConvolution(length=length, gate=gate)
  assert_is(mixer, formula(gate), X)
  # A shorter sequence has the same parameters.
  x = X[:, :2]
  start = jax.eval_shape(mixer.init, jax.random.key(0), x, whole(x))
  assert start["params"]["filter"].shape == (length, D)


def test_a_longer_sequence_is_refused():
  mixer = FreeConvolution(length=T - 1)
  message = "length = 5, and the sequence has 6 tokens; allowed: up to 5 tokens"
  with pytest.raises(ValueError, match=message):
    mixer.init(jax.random.key(0), X, whole(X))
  short = X[:, :5]
  variables = mixer.init(jax.random.key(0), short, whole(short))
  with pytest.raises(ValueError, match=message):
    mixer.apply(variables, X, whole(X))
  with pytest.raises(ValueError, match=message):
    mixer.apply(variables, X, whole(X), mutable=["cache"])


def test_a_stream_beyond_its_length_does_not_pass_unseen():
  mixer = FreeConvolution(length=T)
  x = X[:, :2]
  variables = mixer.init(jax.random.key(0), x, whole(x))
  y, cache = mixer.apply(variables, x, whole(x), mutable=["cache"])
  assert np.isfinite(y).all()
  for new in (x, x[:, :1]):
    places = whole(new)
    y, _ = mixer.apply({**variables, **cache}, new, places, mutable=["cache"])
    assert np.isnan(y).all()


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ({"length": 0}, "length = 0; allowed: 1 or more"),
    ({"gate": "none"}, "gate = 'none'; allowed: 'linear', 'silu'"),
  ],
)
def test_what_does_not_fit_is_refused(fields, message):
  with pytest.raises(ValueError, match=message):
    FreeConvolution(**fields)
