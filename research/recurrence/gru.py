"""The gated recurrent unit: one state, moved towards a candidate by a gate.

Formula: y_t = (1 − z) n + z y_{t−1}, with z = σ(W_z x_t + U_z y_{t−1} + b_z),
r = σ(W_r x_t + U_r y_{t−1} + b_r) and
n = tanh(W_n x_t + b_n + r (U_n y_{t−1} + c)).
Cost: O(t) time, t steps one after the other; a stream carries 1 number a unit.
(Cho 2014)

The reset gate r acts after the product with U_n, as in flax and PyTorch; the
paper has U_n (r y_{t−1}) there.
"""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array

from research.evaluations.recurrence import Parts, Step, kept
from research.recurrence.base import Recurrence
from research.recurrence.scan import Kernel, multiply


class GRU(Recurrence):
  """The gated recurrent unit with n = `hidden` units.

  Parameters: 3 n (d + n + 1) + n at width d; n d more for the projection back
  to the width, which there is only where n ≠ d.
  """

  carried = ("hidden",)

  def _step(self, width: int, hidden: int) -> Step:
    zeros = nn.initializers.zeros
    inputs = Kernel(3, hidden, name="input")(width)
    recurrent = Kernel(3, hidden, name="recurrent")(hidden)
    bias = self.param("bias", zeros, (3, hidden)).reshape(1, -1)
    inner = self.param("inner_bias", zeros, (hidden,))

    def step(state: Parts, x: Array) -> Parts:
      y = state["hidden"]
      ahead = multiply(x, inputs) + bias
      back = multiply(y.astype(x.dtype), recurrent)
      r, z, n = jnp.split(ahead, 3, axis=1)
      r_back, z_back, n_back = jnp.split(back, 3, axis=1)
      r, z = nn.sigmoid(kept(r + r_back)), nn.sigmoid(kept(z + z_back))
      n, n_back = kept(n), kept(n_back)
      n = jnp.tanh(n + r * (n_back + inner[None, :]))
      return {"hidden": n + z * (y - n)}

    return step
