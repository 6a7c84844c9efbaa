"""Attention by `jax.nn`, or by tokamax, which picks a kernel itself."""

from types import ModuleType
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from research.evaluations.attention.base import GroupValues
from research.normalizers.base import Allowed
from research.shapes import Queries, SharedKeys


def library(
  q: Queries,
  k: SharedKeys,
  v: GroupValues,
  allowed: Allowed,
  scale: float,
  backend: Literal["library", "tokamax"] = "library",
) -> Float[Array, "b t h v"]:
  """softmax(scale · q · k) v over the allowed keys.

  The mask is an array, O(t s) memory, one byte a pair; on a CPU all scores
  are held as well. Groups of heads share keys without copies.

  Raises:
    ValueError: tokamax was asked for and cannot be imported.
  """
  if backend == "tokamax":
    y = _tokamax().dot_product_attention(q, k, v, mask=allowed, scale=scale)
  else:
    y = jax.nn.dot_product_attention(q, k, v, mask=allowed, scale=scale)
  # Where nobody is allowed, the libraries give the mean of all values.
  somebody = jnp.any(allowed, axis=-1)
  return jnp.where(jnp.swapaxes(somebody, 1, 2)[..., None], y, 0.0)


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
