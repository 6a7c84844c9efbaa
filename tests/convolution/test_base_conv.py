"""BaseConv by its formula with both filters, and what it refuses."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.convolution.base_conv import BaseConv
from research.places import whole
from tests.complex_step import slopes
from tests.tolerance import assert_close

B, T, D = 2, 7, 3
generator = np.random.default_rng(3)
X = jnp.asarray(generator.normal(size=(B, T, D)), jnp.float32)
SEED = jnp.asarray(generator.normal(size=(B, T, D)), jnp.float32)


def convolved(x: Any, w: Any) -> Any:
  """Σ_i w_i ⊙ x_{t−i}."""
  y = np.zeros_like(x + w[:1])
  for t in range(T):
    for lag in range(min(t + 1, len(w))):
      y[:, t] += w[lag] * x[:, t - lag]
  return y


def formula(mixer: BaseConv) -> Any:
  """(u ∗ h + u) ⊙ (W u + β) + u, or with a bias in the place of the first u."""

  def call(given: Any, x: Any) -> Any:
    if mixer.filter == "short":
      y = convolved(x, given["filter"]) + given["filter_bias"]
    else:
      lag = np.arange(T)[:, None] / mixer.horizon
      angle = 2 * np.pi * 1e-4 * lag
      h = np.concatenate([lag, np.cos(angle), -np.sin(angle)], axis=1)
      h = h @ given["filter_in"]["kernel"] + given["filter_in"]["bias"]
      h = np.where(h.real > 0, h, 0.0)
      h = h @ given["filter_out"]["kernel"] + given["filter_out"]["bias"]
      y = convolved(x, h) + x
    projected = x @ given["projection"]["kernel"] + given["projection"]["bias"]
    return y * projected + x

  return call


@pytest.mark.parametrize(
  "mixer",
  [BaseConv(), BaseConv(filter="implicit", horizon=8, hidden=5)],
  ids=["short", "implicit"],
)
def test_it_is_its_formula(mixer):
  parameters = mixer.init(jax.random.key(0), X, whole(X))["params"]
  parameters = jax.tree.map(
    lambda leaf: leaf + jnp.cos(jnp.arange(leaf.size)).reshape(leaf.shape),
    parameters,
  )

  @jax.jit
  def both(parameters: Any, x: Any) -> Any:
    def call(parameters: Any, x: Any) -> Any:
      return mixer.apply({"params": parameters}, x, whole(x))

    y, back = jax.vjp(call, parameters, x)
    return y, back(SEED)

  y, gradients = both(parameters, X)
  given = jax.tree.map(
    lambda leaf: np.asarray(leaf, np.float64), (parameters, X)
  )
  assert_close(y, formula(mixer)(*given), level="module")
  wanted = slopes(formula(mixer), given, np.asarray(SEED, np.float64))
  assert_close(gradients, wanted, level="module", gradient=True)


def test_it_begins_as_the_authors_do():
  wide = jnp.zeros((1, 2, 512))

  def start(mixer: BaseConv) -> Any:
    return mixer.init(jax.random.key(0), wide, whole(wide))["params"]

  short = start(BaseConv(kernel_size=4))
  for name in ("filter", "filter_bias"):
    limit = np.abs(short[name]).max()
    assert 0.48 < limit <= 0.5 and abs(short[name].mean()) < 0.06
  long = start(BaseConv(filter="implicit", hidden=64))
  for name in ("filter_in", "filter_out"):
    assert abs(long[name]["kernel"].std() - 0.02) < 0.003
    assert not long[name]["bias"].any()


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ({"filter": "long"}, "filter = 'long'; allowed: 'short', 'implicit'"),
    ({"kernel_size": 0}, "kernel_size = 0; allowed: 1 or more"),
    ({"horizon": 0}, "horizon = 0; allowed: 1 or more"),
    ({"hidden": 0}, "hidden = 0; allowed: 1 or more"),
    ({"horizon": 9}, "horizon = 9 with filter = 'short', .* allowed: 64"),
    (
      {"filter": "implicit", "kernel_size": 9},
      "kernel_size = 9 with filter = 'implicit', .* allowed: 3",
    ),
  ],
)
def test_what_does_not_fit_is_refused(fields, message):
  with pytest.raises(ValueError, match=message):
    BaseConv(**fields)
