"""Gated long convolution with an implicit filter (Hyena's, Poli 2023).

Formula: b_t = W_o (gate(W_g x_t + β) ⊙ Σ_{i≤t} w_i ⊙ W_v x_{t−i}),
w_i = √(2 r) MLP(i) exp(−r i), and a learned w on the token itself on top.
Cost: O(t log t) time, O(t log² t) in batches that hold packed rows; a stream
carries d · t numbers, and a token takes O(t).
"""

import math

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from research.convolution.base import rates
from research.convolution.layer import GatedLong
from research.mixer import dense
from research.record import check_number


class LongConvolution(GatedLong):
  """Every channel with its own filter as long as the sequence, times a gate.

  The filter is a function of the lag in tokens. It has the same parameters
  at any length, and does not depend on the length.

  Attributes:
    gate: the function of the gate's projection.
    horizon: channels forget at the `rates` of so many tokens.
    bands: pairs of sines and cosines of the lag that the filter is made of,
      of periods from 2 tokens to 2 horizons.
    hidden: width of the two hidden layers of the filter's network.
  """

  horizon: int = 64
  bands: int = 8
  hidden: int = 32

  def __post_init__(self) -> None:
    for name in ("horizon", "bands", "hidden"):
      check_number(self, name, 1)
    super().__post_init__()

  def _filters(self, length: int, width: int) -> Float[Array, "s d"]:
    """w, in float32: the network of the lags times the window."""
    lag = jnp.arange(length, dtype=jnp.float32)[:, None]
    periods = jnp.geomspace(2.0, 2.0 * self.horizon, self.bands)[None, :]
    angle = 2 * math.pi * lag / periods
    wave = [lag / self.horizon, jnp.sin(angle), jnp.cos(angle)]
    hidden = jnp.concatenate(wave, axis=1)
    for name in ("filter_in", "filter_hidden"):
      hidden = jnp.sin(dense(self.hidden, hidden, name, bias=True))
    shape = dense(width, hidden, "filter_out")
    rate = rates(self.horizon, width)[None, :]
    filters = jnp.sqrt(2 * rate) * shape * jnp.exp(-rate * lag)
    skip = self.param("skip", nn.initializers.normal(1.0), (width,))
    return filters.at[0].add(skip)
