"""PyTorch's fused attention, forward and backward, on the same numbers.

Imported only where PyTorch is installed, and only by the bench.
"""

from collections.abc import Callable

import jax
import numpy as np
import torch
from torch.nn import functional

from research.bench.device import accelerated, precision


def prepare(*arrays: jax.Array) -> Callable[[int], int]:
  """Causal `scaled_dot_product_attention`, warmed up; makes calls.

  Queries, keys, values and the cotangent come as ours are, [1 t h k], and are
  laid out once as PyTorch has them, [1 h t k]; on a GPU if our programs run
  there.
  """
  to = {
    "device": "cuda" if accelerated() else "cpu",
    "dtype": getattr(torch, precision()),
  }
  q, k, v, back = (
    torch.tensor(np.asarray(x, np.float32), **to).transpose(1, 2).contiguous()
    for x in arrays
  )
  tensors = q, k, v
  for tensor in tensors:
    tensor.requires_grad_()

  def calls(number: int) -> int:
    for _ in range(number):
      for tensor in tensors:
        tensor.grad = None
      y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
      y.backward(back)
    if accelerated():
      torch.cuda.synchronize()
    return number

  calls(1)
  return calls
