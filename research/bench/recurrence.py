"""Recurrences alone as contenders: forward and backward."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax

from research.places import whole
from research.recurrence.gru import GRU
from research.recurrence.lstm import LSTM

WIDTH = 128
BATCH = 64

_OURS = {"lstm": LSTM, "gru": GRU}
_FLAX: dict[str, Callable[[int], nn.RNNCellBase]] = {
  "lstm": nn.OptimizedLSTMCell,
  "gru": nn.GRUCell,
}


def inputs(length: int) -> list[jax.Array]:
  """The sequences and the cotangent, [b t d]."""
  shape = (BATCH, length, WIDTH)
  keys = jax.random.split(jax.random.key(0))
  return [jax.random.normal(key, shape) for key in keys]


def prepare(form: str, length: int) -> Callable[[int], int]:
  """Compiles and warms up; the function makes calls and tells how many.

  Args:
    form: whose, and of which cell: "ours-lstm", "flax-gru", "torch-lstm".
    length: of the sequences.
  """
  whose, cell = form.split("-")
  x, slope = inputs(length)
  if whose == "torch":
    from research.bench.torch_recurrence import prepare as peer

    return peer(cell, x, slope)
  layer: Any
  arguments: tuple[Any, ...]
  if whose == "flax":
    layer, arguments = nn.RNN(_FLAX[cell](WIDTH)), (x,)
  else:
    layer, arguments = _OURS[cell](), (x, whole(x))
  variables = layer.init(jax.random.key(1), *arguments)

  @jax.jit
  def both(variables: Any, x: Any, slope: Any, *others: Any) -> Any:
    def forward(variables: Any, x: Any) -> Any:
      return layer.apply(variables, x, *others)

    y, back = jax.vjp(forward, variables, x)
    return y, back(slope)

  def calls(number: int) -> int:
    for _ in range(number):
      jax.block_until_ready(both(variables, x, slope, *arguments[1:]))
    return number

  calls(1)
  return calls
