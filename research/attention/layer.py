"""Attention: projections, heads, positions and cache around one evaluation.

Formula: b_t = W_o Σ_s w_ts v_s, w = normalizer(score(q, k) + bias), over the
allowed keys. Cost: O(t²) time; a stream carries 2 d numbers a token, shared
among the heads that share keys (Vaswani 2017, Shazeer 2019, Ainslie 2023).
"""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from research.attention.base import (
  Gate,
  Read,
  check_choices,
  check_edges,
  check_source,
)
from research.evaluations.attention.attend import attend
from research.evaluations.attention.base import Side
from research.evaluations.attention.choice import Choice, Evaluation, choose
from research.evaluations.attention.modifications import (
  Modification,
  everybody,
  kept,
)
from research.evaluations.attention.rules import Parts
from research.heads.base import Heads
from research.heads.independent import Independent
from research.masks import Causal, Mask
from research.mixer import Mixer, Source, dense, leave, stream_of
from research.normalizers.base import Normalizer
from research.normalizers.softmax import Softmax
from research.places import (
  Places,
  check_places,
  gather,
  settled,
  zero_padding,
)
from research.positions.base import ScorePosition
from research.positions.none import NoPosition
from research.scores.base import Score
from research.scores.scaled import ScaledDotProduct
from research.shapes import Activations, Asked, Edges, SharedKeys
from research.stream import history, once, slots, store, streaming

_UNLIMITED = 2**30


class Attention(Mixer):
  """Attention over the own sequence, or over `source`.

  Attributes:
    heads: the number of heads; divides the width.
    mask: who may look at whom, as far as it is static, by their places in
      the two sequences. Cross-attention mostly wants `Full()`.
    key_heads: heads of keys and values, shared by groups of heads; 0 for one
      each, 1 is multi-query attention.
    score: how well a key fits a query.
    normalizer: makes weights of scores.
    position: an encoding that acts where queries meet keys.
    joint: how heads work together.
    gate: a sigmoid of the input multiplies what each head read ("head") or
      each number of it ("element") (Qiu 2025).
    bias: whether the four projections have biases.
    score_mod: changes each score before it is normalised: a function
      (score, batch, head, query, key) → score of one pair, at positions
      query and key. −∞ forbids. A Linen module may have parameters. `batch`
      counts rows, in beam search lines (`Beam`).
    mask_mod: forbids pairs besides those that the mask forbids:
      (batch, head, query, key) → bool.
    weight_mod: changes each weight after it was normalised, as `score_mod`.
    evaluation: the form in which all this is computed. "auto" takes what is
      fastest where it was measured. Forms agree but for rounding, and but for
      derivatives of forward mode (`jax.jvp`), which "dense" alone has. The
      maps (mutable=["intermediates"]) are made by "dense" always.
  """

  heads: int = 1
  mask: Mask = Causal()
  key_heads: int = 0
  score: Score = dataclasses.field(default_factory=ScaledDotProduct)
  normalizer: Normalizer = dataclasses.field(default_factory=Softmax)
  position: ScorePosition = dataclasses.field(default_factory=NoPosition)
  joint: Heads = dataclasses.field(default_factory=Independent)
  gate: Gate = "none"
  bias: bool = False
  score_mod: Modification = kept
  mask_mod: Modification = everybody
  weight_mod: Modification = kept
  evaluation: Evaluation = "auto"

  def __post_init__(self) -> None:
    check_choices(self)
    super().__post_init__()

  @property
  def groups(self) -> int:
    """g, the heads of keys and values."""
    return self.key_heads or self.heads

  @property
  def causal(self) -> bool:
    return self.mask.causal

  def parts(self) -> Parts:
    """What is done with scores and weights, part by part."""
    return Parts(*(getattr(self, name) for name in Parts._fields))

  def choice(self, queries: int, keys: int) -> Choice:
    """The form that evaluates so many queries and keys, and why."""
    return choose(self.evaluation, self.parts(), queries, keys)

  def state_size(self, width: int, length: int) -> int:
    shared = 2 * width // self.heads * self.groups
    return shared * self.mask.reach(length)

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
    streams = stream_of(self) if source is None else streaming(self)
    places = settled(places)
    if at is not None:  # the mask has to know, too, what -1 is
      t = x.shape[1]
      at = jnp.where((at < 0) & (at >= -t), at + t, at)
    asked, where = gather(x, at), gather(places.positions, at)
    q = self._project(asked, "query")
    read = self._read(q, where, x, places, source, streams)
    check_edges(places, read.k.shape[1], streams)
    q, _ = self._turned(q, read.k, where, read.side.positions)
    read, index = self._stream(read, places, source, streams)
    query = Side(
      where,
      at if index is None else gather(index, at),
      gather(places.segments, at),
    )
    edges = places.edges
    y = self._attend(
      q, query, read, None if edges is None else gather(edges, at)
    )
    if self.gate != "none":
      y = y * self._gate(asked)
    y = y.reshape(*y.shape[:2], y.shape[2] * y.shape[3])
    y = dense(x.shape[-1], y, "out", self.bias)
    if streams and source is None and query.indices is not None:
      full = (query.indices >= self._room())[..., None]
      y = jnp.where(full, jnp.nan, y)  # a full cache must not pass unseen
    return leave(y, places, at, gathered=True)

  def _check(self, width: int) -> None:
    maps = self.heads * self.joint.maps
    if width % maps:
      each = f" of {self.joint.maps} maps each" if maps > self.heads else ""
      raise ValueError(
        f"heads = {self.heads}{each} does not divide width {width}; allowed: "
        "a divisor of the width"
      )
    self.position.check(width // maps)

  def _read(
    self,
    q: Float[Array, "b a h k"],
    where: Array,
    x: Activations,
    places: Places,
    source: Source | None,
    streams: bool,
  ) -> Read:
    """Keys and values of the own sequence or the source's, ready to be met.

    A stream makes those of its source once, at its first call.
    """
    if source is not None:
      check_source(x, source)
      x, places = zero_padding(*source), settled(source[1])

    def make(layer: "Attention", x: Activations) -> tuple[Array, Array]:
      k = layer._project(x, "key")
      _, k = layer._turned(q, k, where, places.positions)
      return k, layer._project(x, "value")

    if source is not None and streams:
      names = ("keys", "values")
      shapes = (self._shape(x, name) for name in ("key", "value"))
      k, v = once(self, dict(zip(names, shapes, strict=True)), make, x)
    else:
      k, v = make(self, x)
    return Read(k, v, Side(places.positions, segments=places.segments))

  def _turned(
    self,
    q: Float[Array, "b a h k"],
    k: SharedKeys,
    positions_q: Array,
    positions_k: Array,
  ) -> tuple[Float[Array, "b a h k"], SharedKeys]:
    """Queries and keys as they meet."""
    q, k = self.score.prepare(q, k)
    return self.position.rotate(q, k, positions_q, positions_k)

  def _project(self, x: Activations, name: str) -> Float[Array, "b t h k"]:
    """Queries, keys or values of `x`, split into their heads."""
    shape = self._shape(x, name)
    return dense(shape[2] * shape[3], x, name, self.bias).reshape(shape)

  def _shape(self, x: Activations, name: str) -> tuple[int, int, int, int]:
    maps = 1 if name == "value" else self.joint.maps
    heads = self.heads if name == "query" else self.groups
    width = x.shape[-1] // (self.heads * maps)
    batch, length = x.shape[:2]
    return batch, length, heads * maps, width

  def _stream(
    self, read: Read, places: Places, source: Source | None, streams: bool
  ) -> tuple[Read, Int[Array, "#b t"] | None]:
    """All that may be read, and in a stream the indices of the new tokens.

    A mask of limited reach keeps the latest tokens, any other grows into a
    store as long as the stream, written in place.
    """
    if not streams:
      return read, None
    index, valid = slots(self, places.segments)
    if source is not None:
      return read, index
    new = {"keys": read.k, "values": read.v, "positions": places.positions}
    reach = self.mask.reach(_UNLIMITED)
    if reach == _UNLIMITED:
      new, segments = store(self, new, places.segments, index, valid)
      first = jnp.zeros_like(index[:, :1])
    else:
      count = min(reach, read.k.shape[1])
      if self.has_variable("cache", "segments"):
        count = self.get_variable("cache", "segments").shape[1]
      new, segments, among = history(self, new, places.segments, count)
      first = jnp.max(index - among, axis=1, keepdims=True)
    keys = first + jnp.arange(segments.shape[1])[None, :]
    side = Side(new["positions"], keys, segments)
    return Read(new["keys"], new["values"], side), index

  def _room(self) -> int:
    """The tokens that a stream may have before its cache forgets one."""
    kept: int = self.get_variable("cache", "segments").shape[1]
    return kept if kept < self.mask.reach(_UNLIMITED) else _UNLIMITED

  def _attend(
    self,
    q: Float[Array, "b a h k"],
    query: Side,
    read: Read,
    edges: Edges | None,
  ) -> Float[Array, "b a heads v"]:
    """What the queries read, in the form that was asked for or fits."""
    # Whoever wants to see the maps, mutable=["intermediates"], gets them all.
    seen = self.is_mutable_collection("intermediates")
    y, weights = attend(
      q,
      read.k,
      read.v,
      query,
      read.side,
      self.mask,
      self.parts(),
      edges=edges,
      evaluation="dense" if seen else self.evaluation,
      starting=self.is_initializing(),
    )
    if seen:
      self.sow("intermediates", "weights", weights)
    return self.joint.finish(y)

  def _gate(self, x: Activations) -> Float[Array, "b t heads #v"]:
    """Between 0 and 1, for every head or for every number of it."""
    count = self.heads if self.gate == "head" else x.shape[-1]
    gate = jax.nn.sigmoid(dense(count, x, "gate", self.bias))
    return gate.reshape(*gate.shape[:2], self.heads, count // self.heads)
