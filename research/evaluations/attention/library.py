"""Attention by `jax.nn`, which may ask cuDNN, or by tokamax."""

import functools
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from research.evaluations.attention.base import GroupValues, Side
from research.masks import Both, Causal, Full, Mask, Window
from research.normalizers.base import Allowed
from research.shapes import Queries, SharedKeys

Library = Literal["library", "cudnn", "tokamax"]
"""`jax.nn` as XLA compiles it, as cuDNN computes it; and tokamax, which picks
a kernel itself."""
LIBRARIES = get_args(Library)


def told(mask: Mask, query: Side, key: Side) -> dict[str, Any] | None:
  """How a library is told who may look at whom without an array.

  None if it has to be one: an array of all pairs.
  """
  if any(side.indices is not None for side in (query, key)):
    return None
  if query.segments is not None and key.segments is not None:
    return None
  if isinstance(mask, Full):
    return {}
  if query.positions.shape[1] != key.positions.shape[1]:
    return None
  match mask:
    case Causal():
      return {"is_causal": True}
    case Both(Causal(), Window(width)) | Both(Window(width), Causal()):
      return {"is_causal": True, "local_window_size": (width - 1, 0)}
  return None


def library(
  q: Queries,
  k: SharedKeys,
  v: GroupValues,
  allowed: Allowed | Mapping[str, Any],
  scale: float,
  which: Library = "library",
) -> Float[Array, "b t h v"]:
  """softmax(scale · q · k) v over the allowed keys.

  Groups of heads share keys without copies.

  Args:
    q: queries.
    k: keys.
    v: values.
    allowed: what `told` gives; or an array, O(t s) memory, one byte a pair
      (two a pair and head for cuDNN, which makes a bias of it).
    scale: of the products.
    which: who computes. All scores are held by XLA, by kernels none.

  Raises:
    ValueError: tokamax was asked for and cannot be imported, or `jax.nn` or
      cuDNN where it cannot compute.
  """
  call = _call(which)
  if isinstance(allowed, Mapping):
    return call(q, k, v, scale=scale, **allowed)
  if which == "cudnn":  # whose rule for vmap takes no other number of heads
    heads = allowed.shape[0], q.shape[2], *allowed.shape[2:]
    allowed = jnp.broadcast_to(allowed, heads)
  y = call(q, k, v, mask=allowed, scale=scale)
  # Where nobody is allowed, the libraries give the mean of all values.
  somebody = jnp.any(allowed, axis=-1)
  return jnp.where(jnp.swapaxes(somebody, 1, 2)[..., None], y, 0.0)


def _call(which: Library) -> Callable[..., Array]:
  if which == "tokamax":
    return _tokamax().dot_product_attention
  return functools.partial(_jax, which)


def _jax(which: Library, *given: Any, **more: Any) -> Array:
  able = "one dtype, as many numbers in a key as in a value"
  if which == "cudnn":
    able = f"bfloat16, {able}, a multiple of 8, and an NVIDIA GPU"
    more["implementation"] = "cudnn"
  try:
    return jax.nn.dot_product_attention(*given, **more)
  except (NotImplementedError, RuntimeError, ValueError) as error:
    reason = str(error).rstrip(".")
    raise ValueError(
      f"evaluation = {which!r} cannot compute this ({reason}); allowed: "
      f"another evaluation, or {able}"
    ) from error


def _tokamax() -> ModuleType:
  """The package, which nothing else needs and no extra installs."""
  try:
    import tokamax
  except ImportError as error:
    raise ValueError(
      f"evaluation = 'tokamax' cannot import tokamax ({error}); allowed: "
      "another evaluation, or tokamax in an environment of its own (it pins "
      "typeguard 2.13, which the command line cannot have)"
    ) from error
  return tokamax
