"""Multi-head softmax attention: projections, heads, positions and cache.

Formula: b_t = W_o Σ_s softmax_s(q_t·k_s / √k + bias) v_s over allowed keys.
Cost: O(t²) time; a stream carries 2 d numbers a token (Vaswani 2017).
"""

import dataclasses

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from research.evaluations.attention import attend
from research.masks import Causal, Mask
from research.mixer import Mixer, Source, dense, leave, stream_of
from research.places import Places, check_places, gather
from research.positions.base import ScorePosition
from research.positions.none import NoPosition
from research.shapes import Activations, Asked, Keys, Values
from research.stream import history, slots

_UNLIMITED = 2**30


class Attention(Mixer):
  """Softmax attention over the own sequence, or over `source`.

  Attributes:
    heads: the number of heads; divides the width.
    mask: who may look at whom, as far as it is static.
    position: an encoding that acts where queries meet keys.
    bias: whether the four projections have biases.
  """

  heads: int = 1
  mask: Mask = Causal()
  position: ScorePosition = dataclasses.field(default_factory=NoPosition)
  bias: bool = False

  def __post_init__(self) -> None:
    if self.heads < 1:
      raise ValueError(f"heads = {self.heads}; allowed: 1 or more")
    super().__post_init__()

  @property
  def causal(self) -> bool:
    return self.mask.causal

  def state_size(self, width: int, length: int) -> int:
    return 2 * width * self.mask.reach(length)

  @nn.compact
  def __call__(
    self,
    x: Activations,
    places: Places,
    *,
    source: Source | None = None,
    at: Asked | None = None,
    deterministic: bool = True,
  ) -> Float[Array, "b a d"]:
    check_places(x, places)
    self._check(x.shape[-1])
    streams = stream_of(self) if source is None else False
    q = self._heads(gather(x, at), "query")
    read, read_places = (x, places) if source is None else source
    check_places(read, read_places)
    _check_edges(places, read_places, streams)
    k, v = self._heads(read, "key"), self._heads(read, "value")
    q, k = self.position.rotate(
      q, k, gather(places.positions, at), read_places.positions
    )
    if streams:
      k, v, read_places, index, keys = self._remember(k, v, places)
    else:
      index = jnp.broadcast_to(jnp.arange(x.shape[1])[None, :], x.shape[:2])
      keys = jnp.arange(k.shape[1])[None, :]
    index = gather(index, at)
    allowed = self._allowed(index, keys, places, read_places, at)
    bias = self.position.bias(
      q, k, gather(places.positions, at), read_places.positions
    )
    y = attend(q, k, v, allowed, bias)
    y = y.reshape(y.shape[:2] + (x.shape[-1],))
    y = dense(x.shape[-1], y, "out", bias=self.bias)
    if streams:
      full = (index >= self._room())[..., None]
      y = jnp.where(full, jnp.nan, y)  # a full cache must not pass unseen
    return leave(y, places, at, gathered=True)

  def _check(self, width: int) -> None:
    if width % self.heads:
      raise ValueError(
        f"heads = {self.heads} does not divide width {width}; allowed: a "
        "divisor of the width"
      )
    self.position.check(width // self.heads)

  def _heads(self, x: Activations, name: str) -> Float[Array, "b t h k"]:
    y = dense(x.shape[-1], x, name, bias=self.bias)
    return y.reshape(y.shape[:2] + (self.heads, -1))

  def _remember(
    self,
    k: Float[Array, "b t h k"],
    v: Float[Array, "b t h v"],
    places: Places,
  ) -> tuple[Keys, Values, Places, Int[Array, "b t"], Int[Array, "b s"]]:
    """Keys, values and places of the stream; the queries' and keys' indices.

    A mask of limited reach keeps the latest tokens, any other grows into a
    store as long as the stream, written in place.
    """
    new = {"keys": k, "values": v, "positions": places.positions}
    count = min(self.mask.reach(_UNLIMITED), k.shape[1])
    if self.has_variable("cache", "segments"):
      count = self.get_variable("cache", "segments").shape[1]
    index, valid = slots(self, places.segments)
    if self.mask.reach(_UNLIMITED) == _UNLIMITED:
      new, segments = self._store(new, places, index, valid)
      first = jnp.zeros_like(index[:, :1])
    else:
      new, segments, among = history(self, new, places.segments, count)
      first = jnp.max(index - among, axis=1, keepdims=True)
    keys = first + jnp.arange(segments.shape[1])[None, :]
    stream = Places(new["positions"], segments)
    return new["keys"], new["values"], stream, index, keys

  def _store(
    self, new: dict[str, Array], places: Places, index: Array, valid: Array
  ) -> tuple[dict[str, Array], Array]:
    rows = jnp.arange(index.shape[0])[:, None]
    new = {**new, "segments": places.segments}
    for name, value in new.items():
      kept = self.variable("cache", name, jnp.zeros, value.shape, value.dtype)
      write = jnp.where(valid, index, kept.value.shape[1])
      kept.value = kept.value.at[rows, write].set(value, mode="drop")
      new[name] = kept.value
    return new, new.pop("segments")

  def _room(self) -> int:
    """The tokens that a stream may have before its cache forgets one."""
    kept: int = self.get_variable("cache", "segments").shape[1]
    return kept if kept < self.mask.reach(_UNLIMITED) else _UNLIMITED

  def _allowed(
    self,
    index: Int[Array, "b t"],
    keys: Int[Array, "#b s"],
    places: Places,
    read: Places,
    at: Asked | None,
  ) -> Bool[Array, "b t s"]:
    allowed = self.mask.allows(index[:, :, None], keys[:, None, :])
    own = gather(places.segments, at)[:, :, None]
    allowed = allowed & (own == read.segments[:, None, :]) & (own > 0)
    if places.edges is not None:
      allowed = allowed & gather(places.edges, at)
    return allowed


def _check_edges(places: Places, read: Places, streams: bool) -> None:
  if places.edges is None:
    return
  if streams:
    raise ValueError(
      "places.edges was given with a cache; allowed: None, as a graph has "
      "no next token"
    )
  if places.edges.shape[2] != read.segments.shape[1]:
    raise ValueError(
      f"places.edges has shape {places.edges.shape}; allowed: (b, t, s) "
      f"with s = {read.segments.shape[1]}, a column for every key"
    )
