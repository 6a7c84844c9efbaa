"""The plain convolution by its formula, its stream, and what it refuses."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.convolution.plain import Convolution
from research.places import Places, whole
from tests.formula import assert_is
from tests.tolerance import assert_close

B, T, D = 2, 8, 4
X = jnp.asarray(np.random.default_rng(3).normal(size=(B, T, D)), jnp.float32)


def formula(mixer: Convolution) -> Any:
  """β + Σ_i x_{t + ahead − i dilation} W_i, and the gate, in NumPy."""
  k, gap, groups = mixer.kernel_size, mixer.dilation, mixer.groups
  ahead = (k - 1) * gap // 2 if mixer.centred else 0
  size = D // groups

  def call(given: Any, x: Any) -> Any:
    y = np.zeros_like(x) + given["bias"]
    for t, tap, g in np.ndindex(T, k, groups):
      s, own = t + ahead - tap * gap, slice(g * size, (g + 1) * size)
      if 0 <= s < T:
        y[:, t, own] += x[:, s, own] @ given["filter"][tap][:, own]
    if mixer.gate == "none":
      return y
    gate = x @ given["gate"]["kernel"] + given["gate"]["bias"]
    if mixer.gate == "silu":
      gate = gate / (1 + np.exp(-gate))
    return (gate * y) @ given["out"]["kernel"]

  return call


@pytest.mark.parametrize(
  "mixer",
  [
    Convolution(),
    Convolution(kernel_size=5, dilation=2, groups=2, centred=True),
    Convolution(kernel_size=2, groups=4, gate="silu"),
    Convolution(kernel_size=9, dilation=3, gate="linear"),
  ],
)
def test_it_is_its_formula(mixer):
  assert_is(mixer, formula(mixer), X)


def test_a_dilated_stream_remembers_as_far_as_it_reaches():
  mixer = Convolution(dilation=3)
  assert mixer.state_size(D, 100) == 6 * D
  variables = mixer.init(jax.random.key(0), X, whole(X))
  wanted = np.asarray(mixer.apply(variables, X, whole(X)))

  @jax.jit
  def append(cache: Any, x: Any, places: Places) -> Any:
    return mixer.apply({**variables, **cache}, x, places, mutable=["cache"])

  shapes = jax.eval_shape(append, {}, X[:, :1], whole(X[:, :1]))[1]
  cache = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
  assert cache["cache"]["values"].shape == (B, 6, D)
  for t in range(T):
    x = X[:, t : t + 1]
    y, cache = append(cache, x, whole(x))
    assert_close(y[:, 0], wanted[:, t], level="module")


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ({"kernel_size": 0}, "kernel_size = 0; allowed: 1 or more"),
    ({"dilation": 0}, "dilation = 0; allowed: 1 or more"),
    ({"groups": 0}, "groups = 0; allowed: 1 or more"),
    ({"groups": 3}, "groups = 3 does not divide width 4; allowed: "),
    (
      {"kernel_size": 4, "centred": True},
      "kernel_size = 4 with centred = True; allowed: an odd number",
    ),
    ({"gate": "relu"}, "gate = 'relu'; allowed: 'none', 'linear', 'silu'"),
  ],
)
def test_what_does_not_fit_is_refused(fields, message):
  with pytest.raises(ValueError, match=message):
    Convolution(**fields).init(jax.random.key(0), X, whole(X))
