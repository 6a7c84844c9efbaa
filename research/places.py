"""Where the elements of a batch are: positions, segments, edges.

One pytree is made with the batch and handed unchanged through every block.
Nobody below the batch calls `arange`: randomised, shifted or packed positions
are made by the task, and no mixer or encoding knows of them.
"""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Shaped

from research.shapes import Asked, KeyPositions, Positions, Segments


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Places:
  """Where every token of a batch stands.

  Attributes:
    positions: Int[b t], or Int[b t p] with a column per axis of a grid.
    segments: Int[b t]. 0 is padding. Tokens of different numbers never
      interact. The tokens of one segment stand side by side, in order.
    edges: Bool[b t s] or None. Edges of a graph, read by attention alone.
  """

  # Annotated loosely: transformations put shapes, axes and sentinels in the
  # place of arrays, and examples lack the axis `b`.
  positions: Any
  segments: Any
  edges: Any = None

  @property
  def valid(self) -> Bool[Array, "b t"]:
    """True where there is a token, False on padding."""
    return self.segments > 0


class Pairs(NamedTuple):
  """Queries and keys that meet: where they stand, and who sees whom.

  Attributes:
    positions_q: of the queries, Int[b t] or Int[b t p].
    positions_k: of the keys, Int[b s] or Int[b s p].
    allowed: True where a query may look at a key, for all heads or for each.
    heads: which ones these are, where it is not all of them.
  """

  positions_q: Positions
  positions_k: KeyPositions
  allowed: Bool[Array, "#b #h t s"]
  heads: Int[Array, "h"] | None = None


def whole(x: Shaped[Array, "b t ..."], start: int | Array = 0) -> Places:
  """Places of a plain batch: one segment a row, positions one by one.

  Args:
    x: tokens Int[b t] or vectors Float[b t d].
    start: the first position, where `x` goes on with a stream.
  """
  shape = x.shape[:2]
  positions = start + jnp.arange(shape[1], dtype=jnp.int32)[None, :]
  positions = jnp.broadcast_to(positions, shape).astype(jnp.int32)
  return Places(positions, jnp.ones(shape, jnp.int32))


def check_places(x: Shaped[Array, "b t ..."], places: Places) -> None:
  """Refuses places that do not belong to `x`.

  Raises:
    ValueError: a leaf of `places` has another batch size or length.
  """
  wanted = x.shape[:2]
  for name in ("positions", "segments"):
    shape = getattr(places, name).shape
    if shape[:2] != wanted:
      raise ValueError(
        f"places.{name} has shape {shape}; allowed: (b, t) = {wanted}, "
        "the first two dimensions of the input"
      )
  if places.edges is not None and places.edges.shape[:2] != wanted:
    raise ValueError(
      f"places.edges has shape {places.edges.shape}; allowed: (b, t, s) "
      f"with (b, t) = {wanted}"
    )


def in_int32(places: Places) -> Places:
  """The places in the one dtype that streams keep, whatever they came in."""
  return dataclasses.replace(
    places,
    positions=places.positions.astype(jnp.int32),
    segments=places.segments.astype(jnp.int32),
  )


def latest_segments(
  segments: Segments, first: Int[Array, "b"]
) -> Int[Array, "b after"]:
  """The segment of the latest token before each place, and after the last.

  Args:
    segments: Int[b t]; 0 is padding, and no token.
    first: of the latest token before these; 0 for none.

  Returns:
    Int[b t+1].
  """
  line = jnp.concatenate([first[:, None].astype(segments.dtype), segments], 1)
  order = jnp.where(line > 0, jnp.arange(line.shape[1])[None, :], 0)
  return jnp.take_along_axis(line, jax.lax.cummax(order, axis=1), axis=1)


def gather(x: Shaped[Array, "#b t ..."], at: Asked | None) -> Array:
  """The entries of `x` at the indices `at` [b a], or all of them for None."""
  if at is None:
    return x
  index = at.reshape(at.shape + (1,) * (x.ndim - 2))
  return jnp.take_along_axis(x, index, axis=1)


def zero_padding(
  x: Float[Array, "b t d"], places: Places
) -> Float[Array, "b t d"]:
  """`x` with zeros on padding, whatever stood there (NaN included)."""
  return jnp.where(places.valid[..., None], x, jnp.zeros_like(x))


def settled(places: Places) -> Places:
  """The places with position 0 on padding, whatever stood there."""
  valid = places.valid
  valid = valid.reshape(valid.shape + (1,) * (places.positions.ndim - 2))
  positions = jnp.where(valid, places.positions, 0)
  return dataclasses.replace(places, positions=positions)
