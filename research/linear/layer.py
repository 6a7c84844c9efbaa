"""Fast weights: a matrix a head that keys and values write and queries read.

Here are the heads, the short convolution, the stream and the two rules of
writing. A variant says what its tokens ask, write and forget (`tokens`), and
what becomes of what they read (`finish`).
"""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from research.evaluations.fast_weights.base import Decay, Evaluation, State
from research.evaluations.fast_weights.decay import decay
from research.evaluations.fast_weights.delta import delta
from research.linear.base import split
from research.mixer import Mixer, Source, dense, enter, leave, wide
from research.places import Places, gather
from research.record import check_choice, check_number
from research.shapes import (
  Activations,
  Asked,
  Keys,
  Queries,
  Segments,
  Values,
  lacks,
)
from research.short_convolution import short_convolution
from research.stream import carried, carry

Read = Float[Array, "b a h v"]
"""What tokens read, or their own values, at the places asked for."""


class Tokens(NamedTuple):
  """What every token asks, writes and forgets, in float32.

  Attributes:
    q: queries, scaled.
    k: keys.
    v: values.
    log_decay: log a ≤ 0, of a head [b t h] or of each channel of its keys
      [b t h k]; None forgets nothing.
    beta: [b t h], how much of the old value a new one replaces, which is the
      delta rule; None adds the new one.
  """

  q: Queries
  k: Keys
  v: Values
  log_decay: Decay = None
  beta: Float[Array, "b t h"] | None = None


class FastWeights(Mixer):
  """A matrix a head, written by keys and values, read by queries. Abstract.

  Attributes:
    heads: the number of heads; divides the widths of keys and values.
    chunk: tokens worked on at once, which changes no output; 0 for what was
      measured to be fast on CPU.
    form: how the sums are computed, which changes no output; "auto" is the
      fastest one measured on CPU.
    convolution: taps of a causal convolution with silu before queries, keys
      and values, each channel with its own; 0 for none.
  """

  heads: int = 1
  chunk: int = 0
  form: Evaluation = "auto"
  convolution: int = 0

  activated: ClassVar[bool] = False
  """Whether there is a silu without a convolution, too."""

  biased: ClassVar[bool] = False
  """Whether the convolution adds a learned number to each channel."""

  def __post_init__(self) -> None:
    for name, least in (("heads", 1), ("chunk", 0), ("convolution", 0)):
      check_number(self, name, least)
    check_choice(self, "form", Evaluation)
    super().__post_init__()

  @property
  def causal(self) -> bool:
    return True

  def widths(self, width: int) -> tuple[int, int]:
    """The widths of keys and of values, all heads together."""
    return width, width

  def state_size(self, width: int, length: int) -> int:
    key, value = self.widths(width)
    return key * value // self.heads + self.history_size(2 * key + value)

  def history_size(self, channels: int) -> int:
    """The numbers that a convolution of the channels carries."""
    return channels * max(self.convolution - 1, 0)

  def tokens(self, x: Activations, places: Places) -> Tokens:
    """What every token asks, writes and forgets."""
    raise NotImplementedError(lacks(self, "tokens"))

  def finish(self, y: Read, v: Read, x: Activations) -> Float[Array, "b a _"]:
    """What is projected back to the width.

    Args:
      y: what tokens read.
      v: the values that they wrote.
      x: their vectors.
    """
    raise NotImplementedError(lacks(self, "finish"))

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
    streams = enter(self, x, places, source)
    self._check_heads(x.shape[-1])
    tokens = self.tokens(x, places)
    if streams:
      y = self._continue(tokens, places.segments)
    else:
      y, _ = self.evaluate(tokens, places.segments)
    y, v, asking = (gather(part, at) for part in (y, tokens.v, x))
    y = self.finish(y, v, asking).astype(x.dtype)
    y = dense(x.shape[-1], y, "out")
    return leave(y, places, at, gathered=True)

  def evaluate(
    self, tokens: Tokens, segments: Segments, state: State | None = None
  ) -> tuple[Float[Array, "b t h v"], State]:
    """What every token reads, and the state after the last."""
    q, k, v, log_decay, beta = tokens
    how: Any = {"form": self.form, "chunk": self.chunk, "state": state}
    if beta is None:
      return decay(q, k, v, log_decay, segments, **how)
    return delta(q, k, v, beta, log_decay, segments, **how)

  def project(
    self, x: Activations, places: Places
  ) -> tuple[Queries, Keys, Values]:
    """Learned queries, keys and values of the variant's widths."""
    key, value = self.widths(x.shape[-1])
    sizes = {"query": key, "key": key, "value": value}
    q, k, v = self.features(x, places, sizes)
    return split(q, self.heads), split(k, self.heads), split(v, self.heads)

  def features(
    self, x: Activations, places: Places, sizes: Mapping[str, int]
  ) -> list[Float[Array, "b t _"]]:
    """Learned features of these names and sizes, convolved if asked for.

    They are float32, and so are queries, keys, values and what is read.
    """
    parts = [wide(size, x, name) for name, size in sizes.items()]
    if self.convolution:
      y = short_convolution(
        self,
        jnp.concatenate(parts, axis=-1),
        places.segments,
        self.convolution,
        bias=self.biased,
      )
      parts = jnp.split(y, np.cumsum([*sizes.values()])[:-1], axis=-1)
    if self.convolution or self.activated:
      parts = [jax.nn.silu(part) for part in parts]
    return parts

  def _continue(
    self, tokens: Tokens, segments: Segments
  ) -> Float[Array, "b t h v"]:
    """The outputs of the stream; its state is kept in float32."""
    b, _, h, width = tokens.k.shape
    shape = (b, h, width, tokens.v.shape[-1])
    start = State(jnp.zeros(shape, jnp.float32), jnp.zeros((b,), jnp.int32))
    state = State(**carried(self, start._asdict()))
    y, state = self.evaluate(tokens, segments, state)
    carry(self, state._asdict())
    return y

  def _check_heads(self, width: int) -> None:
    for of, size in zip(("key ", "value "), self.widths(width), strict=True):
      name = "width" if size == width else f"{of}width"
      if size % self.heads:
        raise ValueError(
          f"heads = {self.heads} does not divide {name} {size}; "
          f"allowed: a divisor of the {name}"
        )
