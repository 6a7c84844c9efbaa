"""S4D: a diagonal state-space model for every channel (Gu 2022).

Formula: h_t = exp(Δ A) h_{t−1} + A⁻¹ (exp(Δ A) − 1) u_t, of N / 2 complex
numbers a channel, y_t = 2 Re(C · h_t) + D u_t; b_t = GLU(W GELU(y_t)).
It is a convolution, too: K_l = 2 Re Σ_n C_n A_n⁻¹ (exp(Δ A_n) − 1) e^(l Δ A_n).
Cost: O(t log t) time as a convolution, O(t d N) as a recurrence; a stream
carries d · N numbers.
"""

import math
from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from research.evaluations.convolution.depthwise import convolve
from research.evaluations.diagonal.base import Evaluation
from research.initializers import log_uniform
from research.record import check_choice, check_number
from research.recurrence.layer import (
  DiagonalRecurrence,
  Discretization,
  check_steps,
  complex_parameter,
  discretize,
)
from research.shapes import Activations, Segments

Way = Literal["auto", "serial", "associative", "chunked", "convolution"]
Frequencies = Literal["linear", "inverse"]


class S4D(DiagonalRecurrence):
  """A diagonal state-space layer with N = `state` numbers a channel.

  Parameters: d (2 N + 2) + 2 d (d + 1) at width d. A begins at −1/2 + i ω_n,
  log Δ is uniform, C is a complex and D a real normal number. All are learned
  alike: the authors give A and Δ a smaller learning rate, and no weight decay.

  Attributes:
    form: "auto" is "convolution", but in a stream. As a convolution, padding
      inside of a segment counts as time; no row has any, by the contract of
      `Places`.
    reverse: from right to left, which is not causal.
    state: N, even; half as many complex numbers and their conjugates.
    frequencies: ω_n = π n ("linear"), or N (N / (2 n + 1) − 1) / π
      ("inverse").
    discretization: "zoh" as in the formula, or "bilinear".
    least_step: the smallest Δ at the start.
    most_step: the largest.
  """

  form: Way = "auto"  # type: ignore[assignment]
  state: int = 64
  frequencies: Frequencies = "linear"
  discretization: Discretization = "zoh"
  least_step: float = 1e-3
  most_step: float = 1e-1

  def __post_init__(self) -> None:
    check_number(self, "state", 2)
    if self.state % 2:
      raise ValueError(f"state = {self.state}; allowed: an even number")
    check_choice(self, "frequencies", Frequencies)
    check_choice(self, "discretization", Discretization)
    check_steps(self.least_step, self.most_step)
    super().__post_init__()

  def state_size(self, width: int, length: int) -> int:
    return width * self.state

  def _mix(
    self, x: Activations, segments: Segments, streams: bool
  ) -> Float[Array, "b t d"]:
    width, pairs = x.shape[-1], self.state // 2
    halved = nn.initializers.constant(math.log(0.5), jnp.float32)
    log_decay = self.param("log_decay", halved, (width, pairs))
    frequency = self.param(
      "frequency", lambda key: jnp.tile(self._frequencies(), (width, 1))
    )
    log_step = self.param(
      "log_step", log_uniform(self.least_step, self.most_step), (width,)
    )
    output = complex_parameter(
      self,
      "output",
      lambda key: jax.random.normal(key, (width, pairs), jnp.complex64),
    )
    skip = self.param("skip", nn.initializers.normal(1.0), (width,))
    log_a, write = discretize(
      jax.lax.complex(-jnp.exp(log_decay), frequency),
      jnp.exp(log_step)[:, None],
      self.discretization,
    )
    if not streams and self.form in ("auto", "convolution"):
      y = self._convolve(x, segments, log_a, output * write)
    else:
      y = self._recur(x, segments, streams, log_a, write, output)
    return y + skip[None, None] * x

  def _scan(self) -> Evaluation:
    """The form of the recurrence, which a stream of a convolution is, too."""
    return "auto" if self.form == "convolution" else self.form

  def _frequencies(self) -> Float[Array, "n"]:
    n, order = np.arange(self.state // 2), self.state
    if self.frequencies == "linear":
      return jnp.asarray(np.pi * n, jnp.float32)
    return jnp.asarray(order * (order / (2 * n + 1) - 1) / np.pi, jnp.float32)

  def _recur(
    self,
    x: Activations,
    segments: Segments,
    streams: bool,
    log_a: Complex[Array, "d n"],
    write: Complex[Array, "d n"],
    output: Complex[Array, "d n"],
  ) -> Float[Array, "b t d"]:
    a = jnp.exp(log_a)
    return self._outputs(
      x,
      segments,
      lambda x: (a, write * x[:, None]),
      lambda h, x: 2 * jnp.sum(jnp.real(output * h), axis=1),
      streams,
    )

  def _convolve(
    self,
    x: Activations,
    segments: Segments,
    log_a: Complex[Array, "d n"],
    weight: Complex[Array, "d n"],
  ) -> Float[Array, "b t d"]:
    kernel = _kernel(x.shape[1], log_a, weight)
    if not self.reverse:
      return convolve(x, kernel, segments)
    turned = convolve(jnp.flip(x, 1), kernel, jnp.flip(segments, 1))
    return jnp.flip(turned, 1)


def _kernel(
  length: int, log_a: Complex[Array, "d n"], weight: Complex[Array, "d n"]
) -> Float[Array, "t d"]:
  """K_l = 2 Re Σ_n weight_n a_n^l, in O(√t d n) memory beside itself.

  l = i + j √t, so that a^l is a product of two short tables.
  """
  short = math.isqrt(length - 1) + 1
  lags = jnp.arange(short, dtype=jnp.float32)[:, None, None]
  near = jnp.exp(lags * log_a[None])
  far = weight[None] * jnp.exp(lags * short * log_a[None])
  pairs = ((jnp.real(far), jnp.real(near)), (jnp.imag(far), -jnp.imag(near)))
  parts = [jnp.einsum("jdn,idn->jid", *pair) for pair in pairs]
  return 2 * (parts[0] + parts[1]).reshape(-1, log_a.shape[0])[:length]
