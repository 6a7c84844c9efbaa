"""S5: one diagonal state-space model that all channels share (Smith 2023).

Formula: h_t = exp(Δ Λ) h_{t−1} + Λ⁻¹ (exp(Δ Λ) − 1) B u_t, of N / 2 complex
numbers, y_t = 2 Re(C h_t) + D u_t; b_t = g_t ⊙ σ(W g_t + β), g_t = GELU(y_t).
Cost: O(t d N) time; a stream carries N numbers.
"""

import functools
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from research.initializers import log_uniform
from research.mixer import dense
from research.record import check_number
from research.recurrence.layer import (
  DiagonalRecurrence,
  check_steps,
  complex_parameter,
  discretize,
  lift,
  lower,
)
from research.shapes import Activations, RandomKey, Segments


class S5(DiagonalRecurrence):
  """A diagonal state-space layer with N = `state` numbers for all channels.

  Parameters: 3 N / 2 + 2 N d + d + d (d + 1) at width d. Λ begins as the
  eigenvalues of the normal part of HiPPO-LegS, in `blocks` equal blocks, of
  every conjugate pair the one above the real line; B = V⁻¹ B', C = C' V with
  its eigenvectors V, where B' has variance 1 / N, and C' has that in both
  parts. log Δ is uniform, and D is normal. The real part of Λ is
  −exp(parameter), so that no state can grow; the authors learn it as it is.

  Attributes:
    form: how it is evaluated.
    reverse: from right to left, which is not causal.
    state: N, an even number a block.
    blocks: J.
    least_step: the smallest Δ at the start.
    most_step: the largest.
  """

  state: int = 64
  blocks: int = 1
  least_step: float = 1e-3
  most_step: float = 1e-1

  def __post_init__(self) -> None:
    for name in ("state", "blocks"):
      check_number(self, name, 1)
    if self.state % (2 * self.blocks):
      raise ValueError(
        f"state = {self.state} with blocks = {self.blocks}; allowed: a "
        "multiple of 2 blocks"
      )
    check_steps(self.least_step, self.most_step)
    super().__post_init__()

  def state_size(self, width: int, length: int) -> int:
    return self.state

  def _mix(
    self, x: Activations, segments: Segments, streams: bool
  ) -> Float[Array, "b t d"]:
    width, pairs = x.shape[-1], self.state // 2
    values, block = hippo(self.state // self.blocks)
    blocks = np.kron(np.eye(self.blocks), block)
    vectors = jnp.asarray(blocks, jnp.complex64)
    halved = nn.initializers.constant(math.log(0.5), jnp.float32)
    log_decay = self.param("log_decay", halved, (pairs,))
    frequency = self.param(
      "frequency",
      lambda key: jnp.asarray(np.tile(values.imag, self.blocks), jnp.float32),
    )
    log_step = self.param(
      "log_step", log_uniform(self.least_step, self.most_step), (pairs,)
    )
    write = complex_parameter(
      self,
      "input",
      lambda key: vectors.conj().T @ _normal(key, self.state, width),
    )
    output = complex_parameter(
      self, "output", lambda key: _pair(key, self.state, width).T @ vectors
    )
    skip = self.param("skip", nn.initializers.normal(1.0), (width,))
    rate = jax.lax.complex(-jnp.exp(log_decay), frequency)
    log_a, gain = discretize(rate, jnp.exp(log_step))
    h = self._states(
      jnp.exp(log_a), lift(x, gain[:, None] * write), segments, streams
    )
    y = 2 * lower(h, output)
    return y + skip[None, None] * x

  def _finish(
    self, y: Float[Array, "b a d"], x: Float[Array, "b a d"]
  ) -> Float[Array, "b a d"]:
    y = nn.gelu(y, approximate=False)
    return y * nn.sigmoid(dense(x.shape[-1], y, "gate", bias=True))


@functools.cache
def hippo(size: int) -> tuple[np.ndarray, np.ndarray]:
  """Eigenvalues and eigenvectors of the normal part of HiPPO-LegS.

  Its entries are −1/2 on the diagonal, and ∓√(n + 1/2) √(m + 1/2) below and
  above it. In float64, by NumPy: sizes are static. Made once for a size.

  Returns:
    The size / 2 eigenvalues with a positive imaginary part, in order, and
    their vectors [size size/2], the first number of each real and positive.
  """
  root = np.sqrt(np.arange(size) + 0.5)
  products = root[:, None] * root[None]
  skew = np.triu(products, 1) - np.tril(products, -1)
  turns, vectors = np.linalg.eigh(-1j * skew)
  turns, vectors = turns[size // 2 :], vectors[:, size // 2 :]
  phase = vectors[0] / np.abs(vectors[0])
  return -0.5 + 1j * turns, vectors / phase[None]


def _normal(key: RandomKey, state: int, width: int) -> Float[Array, "n d"]:
  """Truncated normal numbers of variance 1 / state."""
  return nn.initializers.lecun_normal()(key, (state, width))


def _pair(key: RandomKey, state: int, width: int) -> Array:
  """Complex numbers with both parts like `_normal`, [n d]."""
  keys = jax.random.split(key)
  return jax.lax.complex(*(_normal(one, state, width) for one in keys))
