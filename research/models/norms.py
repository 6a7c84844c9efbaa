"""Normalisation of one vector by its own size."""

import dataclasses

import flax.linen as nn
from jaxtyping import Array, Float

from research.record import check_positive


@dataclasses.dataclass(frozen=True)
class LayerNorm:
  """(x − mean) / √(variance + epsilon) · scale + bias (Ba 2016)."""

  epsilon: float = 1e-6

  def __post_init__(self) -> None:
    check_positive(self, "epsilon")

  def __call__(self, x: Float[Array, "b t d"], name: str) -> Array:
    """The norm of `x` as a layer of the module that calls, by this name."""
    layer = nn.LayerNorm(epsilon=self.epsilon, dtype=x.dtype, name=name)
    return layer(x)


@dataclasses.dataclass(frozen=True)
class RMSNorm:
  """x / √(mean of x² + epsilon) · scale (Zhang & Sennrich 2019)."""

  epsilon: float = 1e-6

  def __post_init__(self) -> None:
    check_positive(self, "epsilon")

  def __call__(self, x: Float[Array, "b t d"], name: str) -> Array:
    """The norm of `x` as a layer of the module that calls, by this name."""
    layer = nn.RMSNorm(epsilon=self.epsilon, dtype=x.dtype, name=name)
    return layer(x)


Norm = LayerNorm | RMSNorm
