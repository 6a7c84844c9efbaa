"""The linear recurrent unit: complex decays on a ring (Orvieto 2023).

Formula: h_t = λ ⊙ h_{t−1} + γ ⊙ (B x_t), λ = exp(−exp(ν) + i exp(θ)),
y_t = Re(C h_t) + D x_t; b_t = GLU(W GELU(y_t)).
Cost: O(t d n) time; a stream carries n complex numbers.
"""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from research.record import check_number
from research.recurrence.layer import (
  DiagonalRecurrence,
  complex_parameter,
  lift,
  lower,
)
from research.shapes import Activations, RandomKey, Segments

_TINY = 1e-7
"""The least of a number in [0, 1] whose logarithm is taken."""


class LRU(DiagonalRecurrence):
  """The linear recurrent unit with n = `state` complex numbers.

  Parameters: 3 n + 4 n d + d + 2 d (d + 1) at width d. At the start |λ|² and
  the angle of λ are uniform, γ = √(1 − |λ|²), so that the state has the
  variance of B x; γ is learned. B has variance 1 / d, C has 2 / n.

  Attributes:
    form: how it is evaluated.
    reverse: from right to left, which is not causal.
    state: n.
    r_min: the smallest |λ| at the start.
    r_max: the largest.
    max_phase: the largest angle of λ at the start, in radians.
  """

  state: int = 64
  r_min: float = 0.0
  r_max: float = 1.0
  max_phase: float = 2 * math.pi

  def __post_init__(self) -> None:
    check_number(self, "state", 1)
    if not 0 <= self.r_min < self.r_max <= 1:
      raise ValueError(
        f"r_min = {self.r_min}, r_max = {self.r_max}; allowed: 0 <= r_min < "
        "r_max <= 1"
      )
    if not 0 < self.max_phase <= 2 * math.pi:
      raise ValueError(
        f"max_phase = {self.max_phase}; allowed: above 0, at most 2 pi"
      )
    super().__post_init__()

  def state_size(self, width: int, length: int) -> int:
    return 2 * self.state

  def _mix(
    self, x: Activations, segments: Segments, streams: bool
  ) -> Float[Array, "b t d"]:
    width, n = x.shape[-1], self.state
    log_decay = self.param("log_decay", self._log_decay)
    log_phase = self.param("log_phase", self._log_phase)
    log_gain = self.param(
      "log_gain",
      lambda key: jnp.log(-jnp.expm1(-2 * jnp.exp(log_decay))) / 2,
    )
    # Glorot for complex numbers: the variance is that of both parts together.
    read_in = complex_parameter(
      self,
      "input",
      lambda key: (
        jax.random.normal(key, (n, width), jnp.complex64) * width**-0.5
      ),
    )
    read_out = complex_parameter(
      self,
      "output",
      lambda key: (
        jax.random.normal(key, (width, n), jnp.complex64) * (2 / n) ** 0.5
      ),
    )
    skip = self.param("skip", nn.initializers.normal(1.0), (width,))
    decay = jnp.exp(jax.lax.complex(-jnp.exp(log_decay), jnp.exp(log_phase)))
    drive = lift(x, jnp.exp(log_gain)[:, None] * read_in)
    y = lower(self._states(decay, drive, segments, streams), read_out)
    return y + skip[None, None] * x

  def _log_decay(self, key: RandomKey) -> Float[Array, "n"]:
    """ν, for |λ|² uniform between r_min² and r_max².

    What is drawn is 1 − |λ|², as |λ|² itself can round to 1, where ν is −∞.
    """
    share = jax.random.uniform(key, (self.state,))
    gap = 1 - self.r_max**2 + (1 - share) * (self.r_max**2 - self.r_min**2)
    # Above 0, as a share is below 1; of 1, the logarithm would be −∞.
    gap = jnp.minimum(gap, 1 - _TINY)
    return jnp.log(-jnp.log1p(-gap) / 2)

  def _log_phase(self, key: RandomKey) -> Float[Array, "n"]:
    share = jax.random.uniform(key, (self.state,), minval=_TINY)
    return jnp.log(self.max_phase * share)
