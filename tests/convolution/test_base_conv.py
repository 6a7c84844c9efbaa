"""BaseConv by its formula with both filters, and what it refuses."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.convolution.base_conv import BaseConv, LongBaseConv
from research.places import whole
from tests.formula import assert_is, convolved

B, T, D = 2, 7, 3
X = jnp.asarray(np.random.default_rng(3).normal(size=(B, T, D)), jnp.float32)


def formula(mixer: BaseConv | LongBaseConv) -> Any:
  """(u ∗ h + u) ⊙ (W u + β) + u, or with a bias in the place of the first u."""

  def call(given: Any, x: Any) -> Any:
    if isinstance(mixer, BaseConv):
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
  [BaseConv(), LongBaseConv(horizon=8, hidden=5)],
  ids=["short", "long"],
)
def test_it_is_its_formula(mixer):
  assert_is(mixer, formula(mixer), X)


def test_it_begins_as_the_authors_do():
  wide = jnp.zeros((1, 2, 512))

  def start(mixer: BaseConv | LongBaseConv) -> Any:
    return mixer.init(jax.random.key(0), wide, whole(wide))["params"]

  short = start(BaseConv(kernel_size=4))
  for name in ("filter", "filter_bias"):
    limit = np.abs(short[name]).max()
    assert 0.48 < limit <= 0.5 and abs(short[name].mean()) < 0.06
  long = start(LongBaseConv(hidden=64))
  for name in ("filter_in", "filter_out"):
    assert abs(long[name]["kernel"].std() - 0.02) < 0.003
    assert not long[name]["bias"].any()


@pytest.mark.parametrize(
  ("kind", "field"),
  [
    (BaseConv, "kernel_size"),
    (LongBaseConv, "horizon"),
    (LongBaseConv, "hidden"),
  ],
)
def test_what_does_not_fit_is_refused(kind, field):
  with pytest.raises(ValueError, match=f"{field} = 0; allowed: 1 or more"):
    kind(**{field: 0})
