"""What all mixers have in common: the one contract of this laboratory."""

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype
from jaxtyping import Array, Float

from research.places import Places, check_places, gather
from research.shapes import Activations, Asked, lacks
from research.sharing import unshare
from research.stream import streaming

Source = tuple[Array, Places]
"""Another sequence to read from: its vectors [b s d] and places."""

_FLOAT32_SUMS = functools.partial(
  jax.lax.dot_general, preferred_element_type=jnp.float32
)


class Mixer(nn.Module):
  """A way to move information along a sequence: [b t d] → [b t d].

  A module is its own record: fields are int, float, bool, str, Literal,
  tuple, frozen record or module; a module in two places counts as two. Every
  mixer is tested against the laws in `tests/test_laws.py`:

  - tokens of different segments never interact, padding never leaks, outputs
    on padding are zero, and a recurrence keeps its state over padding;
  - `at` gives the outputs at these indices, equal to gathering them later;
  - `source` reads from another sequence, and is refused by who cannot;
  - under `mutable=["cache"]` the call appends to the stream in the cache,
    with the same outputs as the whole sequence at once.
  """

  def __post_init__(self) -> None:
    unshare(self)
    super().__post_init__()

  def __call__(
    self,
    x: Activations,
    places: Places,
    *,
    source: Source | None = None,
    at: Asked | None = None,
    deterministic: bool = True,
  ) -> Float[Array, "b a d"]:
    """Mixes `x` along `t`.

    Args:
      x: Float[b t d]; zero on padding.
      places: where the tokens stand.
      source: another sequence to read from, for cross-attention.
      at: Int[b a], the outputs asked for; None for all of them.
      deterministic: no dropout.

    Returns:
      Float[b a d] of the dtype of `x`; a = t without `at`.
    """
    raise NotImplementedError(lacks(self, "__call__"))

  @property
  def causal(self) -> bool:
    """True if an output depends on no later input."""
    raise NotImplementedError(lacks(self, "causal"))

  def state_size(self, width: int, length: int) -> int:
    """The numbers carried to the next token of a stream of `length`."""
    raise NotImplementedError(lacks(self, "state_size"))

  def at_depth(self, depth: int) -> "Mixer":
    """The mixer of a model's block `depth`, from 0; a pattern has several."""
    return self


def enter(
  mixer: Mixer,
  x: Activations,
  places: Places,
  source: Source | None = None,
) -> bool:
  """The checks at the door of a mixer that reads its own sequence alone.

  Returns:
    Whether this call streams.

  Raises:
    ValueError: places that do not fit; a source, or edges, which only
      attention reads; a stream through a mixer that is not causal.
  """
  name = type(mixer).__name__
  check_places(x, places)
  if source is not None:
    raise ValueError(
      f"source was given to {name}; allowed: None, only attention reads "
      "from another sequence"
    )
  if places.edges is not None:
    raise ValueError(
      f"places.edges was given to {name}; allowed: None, only attention "
      "reads the edges of a graph"
    )
  return stream_of(mixer)


def stream_of(mixer: Mixer) -> bool:
  """Whether this call streams.

  Raises:
    ValueError: a stream through a mixer that is not causal.
  """
  if not streaming(mixer):
    return False
  if not mixer.causal:
    raise ValueError(
      f"cache was asked of {type(mixer).__name__}, which is not causal; "
      "allowed: causal mixers, as only they generate step by step"
    )
  return True


def leave(
  y: Activations, places: Places, at: Asked | None, *, gathered: bool = False
) -> Float[Array, "b a d"]:
  """The outputs asked for, zero on padding.

  Args:
    y: Float[b t d], or Float[b a d] if already `gathered`.
    places: of the whole input.
    at: Int[b a] or None.
    gathered: whether `y` holds the outputs at `at` alone.
  """
  y = y if gathered else gather(y, at)
  valid = gather(places.valid, at)[..., None]
  return jnp.where(valid, y, jnp.zeros_like(y))


def dense(features: int, x: Array, name: str, bias: bool = False) -> Array:
  """A learned linear map of the last axis, computed in the dtype of `x`."""
  layer = nn.Dense(features, use_bias=bias, dtype=x.dtype, name=name)
  return layer(x)


def wide(
  features: int, x: Array, name: str, bias: bool = False, **how: Any
) -> Float[Array, "... _"]:
  """A learned linear map in the dtype of `x`, whose sums stay in float32.

  The bias is one of the summands. Rounded to bfloat16, features of small
  norms, gates and steps lose up to 2%. `how` goes to the layer of Flax.
  """
  layer = nn.Dense(
    features,
    use_bias=bias,
    dtype=x.dtype,
    dot_general=_FLOAT32_SUMS,
    promote_dtype=_promote_factors,
    name=name,
    **how,
  )
  return layer(x)


def _promote_factors(
  *arrays: Array | None, dtype: Any = None, inexact: bool = True
) -> list[Array | None]:
  """What Flax promotes, input and kernel, but not the bias behind them."""
  *factors, bias = arrays
  return [*promote_dtype(*factors, dtype=dtype), bias]
