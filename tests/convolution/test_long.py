"""The long convolution: one filter for all lengths, streamed to the end."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.convolution.long import LongConvolution
from research.places import Places, whole
from tests.formula import assert_is, convolved, exact
from tests.tolerance import assert_close

B, T, D = 2, 80, 4
X = jnp.asarray(np.random.default_rng(3).normal(size=(B, T, D)), jnp.float32)
MIXER = LongConvolution(horizon=32, bands=4, hidden=8)
VARIABLES = MIXER.init(jax.random.key(0), X[:, :5], whole(X[:, :5]))
apply = jax.jit(MIXER.apply)


def filters(given: Any, length: int) -> Any:
  """The filter w [lag d]."""
  lag = np.arange(length)[:, None]
  angle = 2 * np.pi * lag / np.geomspace(2, 64, 4)
  hidden = np.concatenate([lag / 32, np.sin(angle), np.cos(angle)], axis=1)
  for name in ("filter_in", "filter_hidden"):
    layer = given[name]
    hidden = np.sin(hidden @ layer["kernel"] + layer["bias"])
  # One hundredth is left after 1.5 and 0.3 horizons.
  rate = np.linspace(np.log(100) / 48, np.log(100) / 9.6, D)
  window = np.sqrt(2 * rate) * np.exp(-rate * lag)
  w = hidden @ given["filter_out"]["kernel"] * window
  w[0] += given["skip"]
  return w


def formula(given: Any, x: Any) -> Any:
  """W_o (silu(W_g x_t + β) ⊙ Σ_{i≤t} w_i ⊙ W_v x_{t−i})."""
  w = filters(given, x.shape[1])
  mixed = convolved(x @ given["value"]["kernel"], w)
  gate = x @ given["gate"]["kernel"] + given["gate"]["bias"]
  return gate / (1 + np.exp(-gate)) * mixed @ given["out"]["kernel"]


def test_it_is_its_formula():
  assert_is(MIXER, formula, X[:1, :12], moved=0.1)
  wanted = formula(*exact((VARIABLES["params"], X)))
  y = apply(VARIABLES, X, whole(X))
  assert_close(y, wanted, level="module")
  # The filter knows nothing of the length.
  for length in (5, 40):
    y = apply(VARIABLES, X[:, :length], whole(X[:, :length]))
    assert_close(y, wanted[:, :length], level="module")


def test_one_output_asked_for_is_the_same():
  wanted = apply(VARIABLES, X, whole(X))
  at = jnp.array([[79], [3]])
  y = apply(VARIABLES, X, whole(X), at=at)
  asked = np.take_along_axis(np.asarray(wanted), at[..., None], axis=1)
  assert_close(y, asked, level="module")


def test_a_full_store_does_not_pass_unseen():
  length = 6
  wanted = apply(VARIABLES, X, whole(X))
  new = jnp.zeros((B, length, D))
  cache = jax.eval_shape(
    lambda: MIXER.apply(VARIABLES, new, whole(new), mutable=["cache"])[1]
  )
  cache = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), cache)

  @jax.jit
  def append(cache: Any, x: Any, places: Places) -> Any:
    return MIXER.apply({**VARIABLES, **cache}, x, places, mutable=["cache"])

  for t in range(length + 2):
    x = X[:, t : t + 1]
    # The second row has not begun when the first is at its end.
    segments = jnp.array([[1], [int(t >= 2)]])
    y, cache = append(cache, x, Places(segments, segments))
    if t < length:
      assert_close(y[0, 0], np.asarray(wanted)[0, t], level="module")
    else:
      assert np.isnan(y[0, 0]).all()
    assert np.isfinite(y[1, 0]).all()


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ({"horizon": 0}, "horizon = 0; allowed: 1 or more"),
    ({"bands": 0}, "bands = 0; allowed: 1 or more"),
    ({"hidden": -1}, "hidden = -1; allowed: 1 or more"),
    ({"gate": "none"}, "gate = 'none'; allowed: 'linear', 'silu'"),
  ],
)
def test_what_does_not_fit_is_refused(fields, message):
  with pytest.raises(ValueError, match=message):
    LongConvolution(**fields)
