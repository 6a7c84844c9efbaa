"""How parameters start where Flax has no such initialiser."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from research.shapes import RandomKey

Start = Callable[..., Array]
"""The numbers of a parameter, of a key, a shape and a dtype."""


def uniform(most: float) -> Start:
  """Uniform within ±`most`, which is 1/√inputs for what PyTorch has."""

  def init(
    key: RandomKey, shape: tuple[int, ...], dtype: Any = jnp.float32
  ) -> Array:
    return jax.random.uniform(key, shape, dtype, minval=-most, maxval=most)

  return init


def log_uniform(least: float, most: float) -> Start:
  """log Δ for Δ in [least, most], uniform in the logarithm."""
  low, high = math.log(least), math.log(most)

  def init(
    key: RandomKey, shape: tuple[int, ...], dtype: Any = jnp.float32
  ) -> Array:
    return jax.random.uniform(key, shape, dtype, minval=low, maxval=high)

  return init


def softplus_steps(least: float, most: float) -> Start:
  """The b for which softplus(b) is Δ as in `log_uniform`."""
  draw = log_uniform(least, most)

  def init(
    key: RandomKey, shape: tuple[int, ...], dtype: Any = jnp.float32
  ) -> Array:
    step = jnp.exp(draw(key, shape, dtype))
    return step + jnp.log(-jnp.expm1(-step))

  return init
