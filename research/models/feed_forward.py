"""The position-wise half of a block (Vaswani 2017).

Formula: W_2 act(W_1 x), or W_2 (act(W_1 x) ⊙ V x) if gated (Shazeer 2020).
Cost: O(t · expansion · d²).
"""

import functools
from collections.abc import Callable
from typing import Literal

import flax.linen as nn
import jax

from research.mixer import dense
from research.record import check_choice, check_number
from research.shapes import Activations

Activation = Literal["relu", "gelu", "exact_gelu", "silu"]
_ACTIVATIONS: dict[str, Callable[[Activations], Activations]] = {
  "relu": jax.nn.relu,
  "gelu": jax.nn.gelu,
  "exact_gelu": functools.partial(jax.nn.gelu, approximate=False),
  "silu": jax.nn.silu,
}


class FeedForward(nn.Module):
  """Two dense layers, or three if gated.

  Attributes:
    expansion: width of the hidden layer over the width of the model.
    activation: "gelu" is its tanh approximation.
    gated: whether a linear map of x multiplies the hidden layer: SwiGLU with
      "silu", GEGLU with "gelu".
    bias: whether the layers have biases.
  """

  expansion: int = 4
  activation: Activation = "gelu"
  gated: bool = False
  bias: bool = True

  def __post_init__(self) -> None:
    check_number(self, "expansion", 1)
    check_choice(self, "activation", Activation)
    super().__post_init__()

  @nn.compact
  def __call__(self, x: Activations) -> Activations:
    width = self.expansion * x.shape[-1]
    hidden = dense(width, x, "hidden", self.bias)
    hidden = _ACTIVATIONS[self.activation](hidden)
    if self.gated:
      hidden = hidden * dense(width, x, "gate", self.bias)
    return dense(x.shape[-1], hidden, "out", self.bias)


class NoFeedForward(nn.Module):
  """No position-wise half: the block mixes only (Zoology's figure 2)."""

  def __call__(self, x: Activations) -> Activations:
    return x
