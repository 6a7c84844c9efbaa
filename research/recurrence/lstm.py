"""Long short-term memory: a cell that gates keep, write and read.

Formula: c_t = σ(f_t) c_{t−1} + σ(i_t) tanh(g_t), y_t = σ(o_t) tanh(c_t), where
(i, f, g, o)_t = W x_t + U y_{t−1} + b. Cost: O(t) time, t steps one after the
other; a stream carries 2 numbers a unit. (Hochreiter and Schmidhuber 1997, the
forget gate by Gers 2000)

At the start of training the b of the forget gate is 1, and the others are 0
(Jozefowicz 2015).
"""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from research.evaluations.recurrence import Parts, Step, kept
from research.recurrence.base import Recurrence
from research.recurrence.scan import Kernel, multiply
from research.shapes import RandomKey


class LSTM(Recurrence):
  """Long short-term memory with n = `hidden` units.

  Parameters: 4 n (d + n + 1) at width d; n d more for the projection back to
  the width, which there is only where n ≠ d.
  """

  carried = ("cell", "hidden")

  def _step(self, width: int, hidden: int) -> Step:
    inputs = Kernel(4, hidden, name="input")(width)
    recurrent = Kernel(4, hidden, name="recurrent")(hidden)
    bias = self.param("bias", _remember, (4, hidden)).reshape(1, -1)

    def step(state: Parts, x: Array) -> Parts:
      back = multiply(state["hidden"].astype(x.dtype), recurrent)
      gates = kept(multiply(x, inputs) + back + bias)
      i, f, g, o = jnp.split(gates, 4, axis=1)
      cell = nn.sigmoid(f) * state["cell"] + nn.sigmoid(i) * jnp.tanh(g)
      return {"cell": cell, "hidden": nn.sigmoid(o) * jnp.tanh(cell)}

    return step


def _remember(key: RandomKey, shape: tuple[int, int]) -> Float[Array, "_ n"]:
  """One for the forget gate, zero for the others."""
  return jnp.zeros(shape).at[1].set(1.0)
