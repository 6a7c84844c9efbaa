"""What attention reads from, and what it refuses."""

from typing import Any, Literal, NamedTuple

from research.evaluations.attention.base import Side
from research.evaluations.attention.choice import Evaluation, check_form
from research.evaluations.attention.modifications import check_function
from research.field_types import check_types
from research.masks import check_mask
from research.mixer import Source
from research.places import Places, check_places
from research.record import check_choice, check_number
from research.shapes import Activations, SharedKeys, SharedValues

Gate = Literal["none", "head", "element"]
_PARTS = "mask", "score", "normalizer", "position", "joint"


class Read(NamedTuple):
  """What the queries read from: keys [b s g k] and values [b s g v]."""

  k: SharedKeys
  v: SharedValues
  side: Side


def check_choices(layer: Any) -> None:
  """Refuses fields of a layer that do not fit together.

  Raises:
    ValueError: names the field, its value and what is allowed.
  """
  check_types(layer, *_PARTS)
  check_mask(layer.mask)
  check_number(layer, "heads", 1)
  keys = layer.key_heads
  if type(keys) is not int or keys < 0 or layer.heads % layer.groups:
    raise ValueError(
      f"key_heads = {keys!r} with heads = {layer.heads}; allowed: 0 (as many "
      "as heads), or a divisor of heads, an integer"
    )
  for name in ("score_mod", "mask_mod", "weight_mod"):
    check_function(name, getattr(layer, name))
  check_choice(layer, "gate", Gate)
  check_choice(layer, "evaluation", Evaluation)
  if layer.position.turns and not layer.score.is_product:
    raise ValueError(
      f"position = {type(layer.position).__name__} turns queries and keys, "
      f"which score = {type(layer.score).__name__} does not multiply as they "
      "are; allowed: a dot product, or a position that adds to the scores"
    )
  if layer.evaluation != "auto":
    check_form(layer.evaluation, layer.parts())


def check_edges(places: Places, keys: int, streams: bool) -> None:
  """Refuses the edges of a graph that do not fit what is read.

  Raises:
    ValueError: edges in a stream, or without a column for every key.
  """
  if places.edges is None:
    return
  if streams:
    raise ValueError(
      "places.edges was given with a cache; allowed: None, as a graph has "
      "no next token"
    )
  if places.edges.shape[2] != keys:
    raise ValueError(
      f"places.edges has shape {places.edges.shape}; allowed: (b, t, s) "
      f"with s = {keys}, a column for every key"
    )


def check_source(x: Activations, source: Source) -> None:
  """Refuses a source that does not fit the sequence that reads it.

  Raises:
    ValueError: another batch size or width, or places of another length.
  """
  other, places = source
  if other.ndim != 3 or other.shape[::2] != x.shape[::2]:
    raise ValueError(
      f"source has shape {other.shape}; allowed: (b, s, d) with b = "
      f"{x.shape[0]} and d = {x.shape[2]}, as the input has"
    )
  check_places(other, places)
