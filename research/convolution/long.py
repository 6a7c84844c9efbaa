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

from research.convolution.base import (
  Filtering,
  Gate,
  convolve_long,
  gated,
  remember,
)
from research.mixer import Source, dense, enter, leave
from research.places import Places, gather
from research.record import check_choice, check_number
from research.shapes import Activations, Asked


class LongConvolution(Filtering):
  """Every channel with its own filter as long as the sequence, times a gate.

  The filter is a function of the lag in tokens. It has the same parameters
  at any length, and does not depend on the length.

  Attributes:
    horizon: channels forget at rates from 1% left after 0.3 horizons to 1%
      left after 1.5 horizons, in tokens.
    bands: pairs of sines and cosines of the lag that the filter is made of,
      of periods from 2 tokens to 2 horizons.
    hidden: width of the two hidden layers of the filter's network.
    gate: the function of the gate's projection.
  """

  horizon: int = 64
  bands: int = 8
  hidden: int = 32
  gate: Gate = "silu"

  def __post_init__(self) -> None:
    for name in ("horizon", "bands", "hidden"):
      check_number(self, name, 1)
    check_choice(self, "gate", Gate)
    super().__post_init__()

  @property
  def causal(self) -> bool:
    return True

  def state_size(self, width: int, length: int) -> int:
    return width * length

  def receptive_field(self, length: int) -> tuple[int, int]:
    return length - 1, 0

  @nn.compact
  def __call__(
    self,
    x: Activations,
    places: Places,
    *,
    source: Source | None = None,
    at: Asked | None = None,
    deterministic: bool = True,
  ) -> Float[Array, "b a d"]:
    streams = enter(self, x, places, source)
    v, segments, index = dense(x.shape[-1], x, "value"), places.segments, at
    if streams:
      v, segments, index = remember(self, v, segments, at)
    filters = self._filter(v.shape[1], v.shape[2])
    y = convolve_long(v, filters, segments, index)
    y = gated(y, gather(x, at), self.gate)
    return leave(y, places, at, gathered=True)

  def _filter(self, length: int, width: int) -> Float[Array, "s d"]:
    """w, in float32: the network of the lags times the window."""
    lag = jnp.arange(length, dtype=jnp.float32)[:, None]
    periods = jnp.geomspace(2.0, 2.0 * self.horizon, self.bands)[None, :]
    angle = 2 * math.pi * lag / periods
    wave = [lag / self.horizon, jnp.sin(angle), jnp.cos(angle)]
    hidden = jnp.concatenate(wave, axis=1)
    for name in ("filter_in", "filter_hidden"):
      hidden = jnp.sin(dense(self.hidden, hidden, name, bias=True))
    shape = dense(width, hidden, "filter_out")
    fast, slow = (math.log(100.0) / (c * self.horizon) for c in (0.3, 1.5))
    rate = jnp.linspace(slow, fast, width)[None, :]
    filters = jnp.sqrt(2 * rate) * shape * jnp.exp(-rate * lag)
    skip = self.param("skip", nn.initializers.normal(1.0), (width,))
    return filters.at[0].add(skip)
