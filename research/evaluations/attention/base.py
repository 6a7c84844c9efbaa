"""What the forms of attention share: functions of a block of scores."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from research.masks import Mask
from research.normalizers.base import Allowed, Weights
from research.places import Pairs
from research.scores.base import Scores
from research.shapes import Edges, Queries, SharedKeys

GroupValues = Float[Array, "b s groups v"]
"""Values before heads share them; a head's keys may be more than one map."""


class Side(NamedTuple):
  """Where queries, or keys, stand.

  Attributes:
    positions: Int[b t], or Int[b t p].
    indices: Int[#b t], their indices along the sequence, for the mask; None if
      they are 0, 1, 2, …, so that the mask is decided while tracing.
    segments: Int[b t], 0 for padding; None if all are of one.
  """

  positions: Array
  indices: Int[Array, "#b t"] | None = None
  segments: Int[Array, "b t"] | None = None


@dataclasses.dataclass(frozen=True)
class Rules:
  """Attention as pure functions of any block of queries and keys.

  They may close over arrays, and are differentiated with respect to them.

  Attributes:
    scores: of queries [b t h k] and keys [b s g k] that meet: [b h t s], and
      who may look at whom; the function may forbid more than it was told.
    normalizer: makes weights of them; a module, or its bound functions.
    read: of weights [b h t s] and values [b s g v]: [b t heads v], float32.
      Linear in both.
    weights: what is done with the weights of a block before they read, told
      who may look at whom after `scores` had its say; None for nothing.
    mask_mod: who may look at whom besides what mask and segments say, by
      positions and the maps that are asked for; None for everybody.
  """

  scores: Callable[[Queries, SharedKeys, Pairs], tuple[Scores, Allowed]]
  normalizer: Any
  read: Callable[[Weights, GroupValues, Pairs], Float[Array, "b t heads v"]]
  weights: Callable[[Weights, Pairs], Float[Array, "b heads t s"]] | None = None
  mask_mod: Callable[[Any, Any, Any], Bool[Array, "b h t s"]] | None = None


def meet(
  mask: Mask,
  query: Side,
  key: Side,
  rules: Rules,
  edges: Edges | None = None,
  heads: Int[Array, "h"] | None = None,
) -> Pairs:
  """Queries and keys that meet, and who may look at whom among them.

  In all heads, or in some.
  """
  at_q, at_k = (
    jnp.arange(side.positions.shape[1])[None, :]
    if side.indices is None
    else side.indices
    for side in (query, key)
  )
  allowed = mask.allows(at_q[:, :, None], at_k[:, None, :])
  if query.segments is not None and key.segments is not None:
    own = query.segments[:, :, None]
    allowed = allowed & (own == key.segments[:, None, :]) & (own > 0)
  if edges is not None:
    allowed = allowed & edges
  allowed = allowed[:, None]
  if rules.mask_mod is not None:
    allowed = allowed & rules.mask_mod(query.positions, key.positions, heads)
  return Pairs(query.positions, key.positions, allowed, heads)


def shaped(name: str, maps: Array, wanted: tuple[int, ...]) -> Array:
  """The maps that a part gave; broadcasting would hide a wrong shape.

  Raises:
    ValueError: another shape than [b h t s]; the part is named.
  """
  if maps.shape != wanted:
    raise ValueError(
      f"{name} gave the shape {maps.shape}; allowed: (b, h, t, s) = {wanted}"
    )
  return maps
