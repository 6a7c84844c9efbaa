"""What gated convolutions share: the gate beside the convolved values."""

from typing import Literal

import jax

from research.mixer import dense
from research.shapes import Activations

Gate = Literal["linear", "silu"]
"""The function of the gate's projection; "linear" is that of BaseConv."""


def check_gate(gate: str) -> None:
  """Refuses, with a ValueError, a gate that is not one of `Gate`."""
  if gate not in ("linear", "silu"):
    raise ValueError(f"gate = {gate!r}; allowed: 'linear', 'silu'")


def gated(y: Activations, x: Activations, gate: Gate) -> Activations:
  """W_o (gate(W_g x + β) ⊙ y), a learned layer of the calling module."""
  opening = dense(x.shape[-1], x, "gate", bias=True)
  if gate == "silu":
    opening = jax.nn.silu(opening)
  return dense(x.shape[-1], opening * y, "out")
