"""The plain recurrence of Elman: the state is one layer of input and state.

Formula: y_t = φ(W x_t + U y_{t−1} + b), φ = tanh or ReLU. Cost: O(t) time, t
steps one after the other; a stream carries 1 number a unit. (Elman 1990)

With ReLU and U = 1 at the start the state adds up its inputs, and neither it
nor its gradient fades before training shapes U. (Le 2015)
"""

from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from research.evaluations.recurrence import Parts, Step, kept
from research.record import check_choice
from research.recurrence.base import Recurrence
from research.recurrence.scan import Kernel, multiply
from research.shapes import RandomKey

Activation = Literal["tanh", "relu"]


class Elman(Recurrence):
  """The recurrence of Elman with n = `hidden` units.

  Parameters: n (d + n + 1) at width d; n d more for the projection back to
  the width, which there is only where n ≠ d.

  Attributes:
    activation: φ, "tanh" (Elman) or "relu" (Le).
    identity: start with U = 1 instead of normal numbers.
  """

  activation: Activation = "tanh"
  identity: bool = False

  carried = ("hidden",)

  def __post_init__(self) -> None:
    check_choice(self, "activation", Activation)
    super().__post_init__()

  def _step(self, width: int, hidden: int) -> Step:
    inputs = Kernel(1, hidden, name="input")(width)
    start = _identity if self.identity else nn.initializers.lecun_normal()
    recurrent = Kernel(1, hidden, start, name="recurrent")(hidden)
    bias = self.param("bias", nn.initializers.zeros, (hidden,))
    activation = jnp.tanh if self.activation == "tanh" else jax.nn.relu

    def step(state: Parts, x: Array) -> Parts:
      back = multiply(state["hidden"].astype(x.dtype), recurrent)
      inner = kept(multiply(x, inputs) + back + bias[None, :])
      return {"hidden": activation(inner)}

    return step


def _identity(
  key: RandomKey, shape: tuple[int, int], dtype: jnp.dtype = jnp.float32
) -> Float[Array, "n n"]:
  return jnp.eye(*shape, dtype=dtype)
