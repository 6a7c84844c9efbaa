"""The cache of a stream: what stays and what changes, and its rows."""

from typing import Any

import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict
from jaxtyping import Array, Int

from research.mixer import Source
from research.models.model import EncoderDecoder, Model
from research.stream import MADE, ONCE


def parted(cache: Any) -> tuple[Any, Any]:
  """What changes from token to token, and what the first call made for all.

  What was made is a constant here, so that the compiler leaves out the
  question whether it has to be made.
  """
  moving: dict[Any, Array] = {}
  fixed: dict[Any, Array] = {}
  for path, leaf in flatten_dict(cache).items():
    if path[-1] == MADE:
      leaf = jnp.ones(leaf.shape, leaf.dtype)
    (fixed if path[-1].startswith(ONCE) else moving)[path] = leaf
  return unflatten_dict(moving), unflatten_dict(fixed)


def joined(moving: Any, fixed: Any) -> Any:
  """The cache of which these are the parts."""
  return unflatten_dict({**flatten_dict(moving), **flatten_dict(fixed)})


def repeated(tree: Any, count: int) -> Any:
  """Every row of all leaves so many times, side by side."""
  return jax.tree.map(lambda leaf: jnp.repeat(leaf, count, axis=0), tree)


def rows(tree: Any, index: Int[Array, "b"]) -> Any:
  """These rows of all leaves."""
  return jax.tree.map(
    lambda leaf: leaf.at[index].get(mode="promise_in_bounds"), tree
  )


def empty(model: Model, batch: int, length: int, source: Source | None) -> Any:
  """The cache of a stream before its first token.

  Raises:
    ValueError: a model that does not go on token by token.
  """
  if isinstance(model, EncoderDecoder):
    assert source is not None
    return model.start(batch, length, source)
  return model.start(batch, length)
