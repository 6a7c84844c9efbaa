"""What shortens a long source before the encoder reads it."""

import flax.linen as nn
import jax
from jaxtyping import Array, Float

from research.models.strided import StridedConvolution
from research.places import Places
from research.record import check_number
from research.shapes import Activations


class NoFront(nn.Module):
  """Nothing: the encoder reads every element of the source."""

  def __call__(
    self, x: Activations, places: Places
  ) -> tuple[Activations, Places]:
    return x, places


class Subsampling(nn.Module):
  """Strided convolutions, as before the encoders of speech models.

  Formula: x ← gelu(conv(x)), `layers` times; each keeps every `stride`-th
  output. Cost: O(t · kernel_size · d² / stride). (Dong 2018, Radford 2022)

  Attributes:
    layers: the number of convolutions.
    stride: by which each shortens the sequence.
    kernel_size: taps of each.
  """

  layers: int = 2
  stride: int = 2
  kernel_size: int = 3

  def __post_init__(self) -> None:
    for name in ("layers", "stride", "kernel_size"):
      check_number(self, name, 1)
    super().__post_init__()

  @nn.compact
  def __call__(
    self, x: Activations, places: Places
  ) -> tuple[Float[Array, "b a d"], Places]:
    """The shorter sequence, and where its elements stand."""
    for layer in range(self.layers):
      convolution = StridedConvolution(
        kernel_size=self.kernel_size,
        stride=self.stride,
        name=f"convolution_{layer}",
      )
      x, places = convolution(x, places)
      x = jax.nn.gelu(x)
    return x, places


Front = NoFront | Subsampling
