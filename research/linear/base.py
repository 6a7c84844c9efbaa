"""What variants of fast weights are made of: features, gates, decays, norms.

Functions that own parameters are called by a module's compact method; the
parameters are the module's. Between the first and the last projection of a
layer all numbers are float32, under any dtype.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from research.initializers import softplus_steps
from research.mixer import wide
from research.shapes import Activations, RandomKey

Steps = Float[Array, "b t h"]
"""A number for every token and head."""

EPSILON = 1e-5
"""Added to the mean square that a norm divides by."""

_UNIT_EPSILON = 1e-6
"""Added to the squared length that `unit` divides by: zeros stay zeros."""

_STEPS = (1e-3, 1e-1)
"""Δ at the start of training, log-uniform between them (Gu and Dao 2023)."""


def split(x: Float[Array, "b t _"], heads: int) -> Float[Array, "b t h k"]:
  """The numbers of each head."""
  return x.reshape(x.shape[:2] + (heads, -1))


def join(y: Float[Array, "b a h v"]) -> Float[Array, "b a _"]:
  """All heads side by side."""
  return y.reshape(y.shape[:2] + (-1,))


def expand(mixer: nn.Module, name: str, width: int) -> int:
  """The width times the factor in the field `name`.

  Raises:
    ValueError: that is no whole number of 1 or more.
  """
  factor = getattr(mixer, name)
  size = round(factor * width)
  if size < 1 or abs(size - factor * width) > 1e-6:
    raise ValueError(
      f"{name} = {factor} times width {width} is {factor * width:g}; "
      "allowed: a whole number, 1 or more"
    )
  return size


def unit(x: Float[Array, "b t h k"]) -> Float[Array, "b t h k"]:
  """Vectors of length 1, and never above it: x / √(|x|² + 1e-6)."""
  square = jnp.sum(x * x, axis=-1, keepdims=True)
  return x * jax.lax.rsqrt(square + _UNIT_EPSILON)


def step_and_decay(
  module: nn.Module, x: Activations, heads: int, least: float, most: float
) -> tuple[Steps, Steps]:
  """The step Δ of each head and the log decay −A Δ (Dao and Gu 2024).

  Δ = softplus(W x + dt_bias), A = exp(A_log). Parameters: h (d + 2) at width
  d. At the start, Δ is log-uniform in [0.001, 0.1] where W x = 0, and A
  uniform in (`least`, `most`].
  """
  bias = module.param("dt_bias", softplus_steps(*_STEPS), (heads,))
  logits = wide(heads, x, "step") + bias[None, None, :]
  step = jax.nn.softplus(logits)

  def log_uniform(key: RandomKey, shape: tuple[int, ...]) -> Array:
    # 1 − [0, 1) is never 0, whose logarithm would be −∞ for least = 0.
    share = 1.0 - jax.random.uniform(key, shape)
    return jnp.log(least + (most - least) * share)

  rate = jnp.exp(module.param("A_log", log_uniform, (heads,)))
  return step, -rate[None, None, :] * step


def strengths(x: Activations, heads: int, negative_eigenvalues: bool) -> Steps:
  """β = σ(W x), how much of an old value is replaced; or twice that.

  I − β k kᵀ then has the eigenvalue 1 − β in (−1, 1) (Grazzi 2024).
  Parameters: d h.
  """
  beta = jax.nn.sigmoid(wide(heads, x, "beta"))
  return 2.0 * beta if negative_eigenvalues else beta


def rms_norm(y: Float[Array, "b a ..."]) -> Float[Array, "b a ..."]:
  """γ y / √(mean y² + 1e-5) of the last axis, and a γ for each of it."""
  return nn.RMSNorm(epsilon=EPSILON, name="norm")(y)


def centred_norm(y: Float[Array, "b a h v"]) -> Float[Array, "b a h v"]:
  """(y − mean) / √(variance + 1e-5) of each head, without parameters."""
  y = y - jnp.mean(y, axis=-1, keepdims=True)
  square = jnp.mean(y * y, axis=-1, keepdims=True)
  return y * jax.lax.rsqrt(square + EPSILON)


def gated(y: Float[Array, "b a _"], x: Activations) -> Float[Array, "b a _"]:
  """y ⊙ silu(W_g x)."""
  return y * jax.nn.silu(wide(y.shape[-1], x, "gate"))
