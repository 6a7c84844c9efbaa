"""PyTorch's recurrent layers, forward and backward, on the same numbers.

Imported only where PyTorch is installed, and only by the bench.
"""

from collections.abc import Callable

import jax
import numpy as np
import torch

_LAYERS = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}


def prepare(cell: str, x: jax.Array, slope: jax.Array) -> Callable[[int], int]:
  """`torch.nn.LSTM` or `torch.nn.GRU`, warmed up; makes calls.

  Inputs and cotangent come as ours are, [b t d], and are laid out once as
  PyTorch has them unless told otherwise, [t b d].
  """
  there, back = (
    torch.tensor(np.asarray(one)).transpose(0, 1).contiguous()
    for one in (x, slope)
  )
  layer = _LAYERS[cell](x.shape[-1], x.shape[-1])
  tensors = [there.requires_grad_(), *layer.parameters()]

  def calls(number: int) -> int:
    for _ in range(number):
      for tensor in tensors:
        tensor.grad = None
      y, _ = layer(there)
      y.backward(back)
    return number

  calls(1)
  return calls
