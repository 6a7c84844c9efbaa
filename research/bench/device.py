"""The device that is timed: who runs there, its precision, its own rate."""

import importlib.util
from collections.abc import Callable

import jax
import jax.numpy as jnp

from research.models.sequence import Precision

_WIDTHS: dict[Precision, int] = {"float32": 2048, "bfloat16": 8192}
_PEAKS = {
  "NVIDIA A100-SXM4-40GB": 312e12,
  "NVIDIA A100-SXM4-80GB": 312e12,
  "NVIDIA H100 80GB HBM3": 989e12,
  "NVIDIA H200": 989e12,
}


def accelerated() -> bool:
  """Whether programs run on something else than a CPU."""
  return jax.default_backend() != "cpu"


def has_torch(*, on_gpu: bool = False) -> bool:
  """Whether PyTorch can be timed as well, where our programs run.

  Args:
    on_gpu: whether it is timed on a GPU too; else on a CPU alone.
  """
  if importlib.util.find_spec("torch") is None:
    return False
  if not accelerated():
    return True
  import torch

  return on_gpu and torch.cuda.is_available()


def has_cudnn() -> bool:
  """Whether our programs run on a GPU that cuDNN knows."""
  return "cuda" in jax.devices()[0].client.platform_version


def precision() -> Precision:
  """In which models are trained there."""
  return "bfloat16" if accelerated() else "float32"


def peak() -> float | None:
  """FLOP/s of dense bfloat16 by the data sheet; None if it is not known."""
  return _PEAKS.get(jax.devices()[0].device_kind)


def product_flops(precision: Precision) -> int:
  """Of one product that `prepare_product` makes."""
  return 2 * _WIDTHS[precision] ** 3


def prepare_product(precision: Precision) -> Callable[[int], int]:
  """The device's own rate: makes products of two square matrices."""
  shape = 2 * (_WIDTHS[precision],)
  x = jax.random.normal(jax.random.key(0), shape, jnp.dtype(precision))
  product = jax.jit(lambda x: x @ x)
  product(x).block_until_ready()

  def products(number: int) -> int:
    for _ in range(number):
      y = product(x)
    y.block_until_ready()
    return number

  return products
