"""Beam search: the most likely of the lines that were kept at every step."""

import dataclasses
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from research.generation.base import Generated, Request, Way
from research.generation.cache import repeated, rows
from research.generation.writer import Writer
from research.record import check_number, check_real

_LARGEST = 64.0
"""Scores of 1e-8 divided by this power of e are still numbers of float32."""


class Beams(NamedTuple):
  """The lines found, the best first.

  Attributes:
    tokens: Int[b w n]. Behind the first END there are only ENDs.
    lengths: Int[b w], the tokens before END; n without one.
    scores: Float[b w], log probabilities in nats, that of END included; −∞
      for a line that there is none of, NaN from outputs that are not finite.
    ranks: Float[b w], the scores divided for their lengths, which lines are
      ordered by.
  """

  tokens: Int[Array, "b w n"]
  lengths: Int[Array, "b w"]
  scores: Float[Array, "b w"]
  ranks: Float[Array, "b w"]


class _Search(NamedTuple):
  """Lines that go on, all of `number` tokens, and those that have ended."""

  number: Int[Array, ""]
  tokens: Int[Array, "b w n"]
  scores: Float[Array, "b w"]  # −∞: no line; NaN: outputs were not finite
  parent: Int[Array, "b w"]  # the line it was before its last token
  last: Int[Array, "b w"]  # its last token
  ended: Beams


@dataclasses.dataclass(frozen=True)
class Beam(Way):
  """Of all lines with one more token, the `width` most likely are kept.

  Those that end with END are put aside (Sutskever 2014), and the others go
  on, so that a beam of width 1 is greedy. Lines are ranked by
  log p / ((5 + m) / 6)^penalty (Wu 2016), where m counts the tokens, END
  included; those that have no END after the last step are ranked alike. A row
  is done when no line that goes on can outrank what was found. The search is
  exact if `width` is not below the number of lines with one more token.
  Cost: `width` rows a step, and a copy of their cache. A model meets the prompt
  of row r as row r, and then line i of it as row r · width + i: these are the
  `batch` of a `score_mod`.

  Attributes:
    width: w, the lines kept; not above the number of classes.
    penalty: 0 or more; 0 ranks by probability alone, which favours short
      lines.
  """

  width: int = 4
  penalty: float = 0.6

  def __post_init__(self) -> None:
    check_number(self, "width", 1)
    check_real(
      self, "penalty", lambda it: 0.0 <= it < math.inf, "0 or more, finite"
    )

  def check(self, classes: int) -> None:
    check_number(self, "width", 1, classes, "for so many classes")

  def _check_penalty(self, length: int) -> None:
    """Refuses one that divides scores to nothing, and makes lines alike."""
    longest = math.log((5 + length) / 6)
    if self.penalty * longest > _LARGEST:
      most = math.floor(10 * _LARGEST / longest) / 10
      raise ValueError(
        f"penalty = {self.penalty} with length = {length}; allowed: {most} at "
        "most, as float32 has no smaller ranks"
      )

  def write(self, writer: Writer, request: Request) -> Generated:
    found = self.search(writer, request, 1)
    return Generated(*(one[:, 0] for one in found[:3]))

  def search(self, writer: Writer, request: Request, count: int) -> Beams:
    """`width` lines, of which the first `count` are what was searched for.

    Raises:
      ValueError: a `penalty` too large for the length.
    """
    self._check_penalty(request.length)
    writer, logits, cache = writer.prefill(
      request.prompt, request.lengths, request.room
    )
    writer = writer.repeated(self.width)
    positions = jnp.repeat(request.lengths - 1, self.width)

    def unfinished(carry: tuple[_Search, Any]) -> Bool[Array, ""]:
      state = carry[0]
      inside = state.number < request.length
      if request.end is None:
        return inside
      return inside & jnp.any(_going(state))

    def advance(carry: tuple[_Search, Any]) -> tuple[_Search, Any]:
      state, cache = carry
      cache = self._inherited(cache, state.parent)
      logits, cache = writer.step(
        cache,
        state.last.reshape(-1),
        positions + state.number,
        _going(state).reshape(-1),
      )
      return self._extended(state, logits, request, count), cache

    state = _begin(request, self.width)
    state = self._extended(state, repeated(logits, self.width), request, count)
    carry = state, repeated(cache, self.width)
    state, _ = jax.lax.while_loop(unfinished, advance, carry)
    lines = self._lines(state.tokens, request.length, 0, state.scores)
    return _best(state.ended, lines, self.width)

  def _inherited(self, cache: Any, parent: Int[Array, "b w"]) -> Any:
    """To each line the cache of the line that it was."""
    if self.width == 1:
      return cache
    first = self.width * jnp.arange(parent.shape[0])[:, None]
    return rows(cache, (first + parent).reshape(-1))

  def _extended(
    self,
    state: _Search,
    logits: Float[Array, "bw c"],
    request: Request,
    wanted: int,
  ) -> _Search:
    """The best lines with one token more."""
    batch, classes, end = request.batch, logits.shape[-1], request.end
    gained = jax.nn.log_softmax(logits).reshape(batch, self.width, classes)
    # Of NaN the positive one is first in order, so that it cannot pass unseen.
    wrong = jnp.any(jnp.isnan(gained), axis=-1, keepdims=True)
    total = state.scores[..., None] + jnp.where(wrong, jnp.nan, gained)
    total = jnp.where(_going(state)[..., None], total, -jnp.inf)
    total = total.reshape(batch, -1)
    scores, index = jax.lax.top_k(total, self.width)
    parent, token = index // classes, index % classes
    tokens = jnp.take_along_axis(state.tokens, parent[..., None], axis=1)
    tokens = jax.lax.dynamic_update_slice_in_dim(
      tokens, token[..., None], state.number, axis=2
    )
    ended = state.ended
    if end is not None:
      last = jnp.where(token == end, scores, -jnp.inf)
      lines = self._lines(tokens, state.number, 1, last)
      ended = _best(ended, lines, self.width)
      scores = jnp.where(token == end, -jnp.inf, scores)
      # Probabilities shrink, and no line is divided by more than the longest.
      most = jnp.max(scores, axis=1, keepdims=True)
      bound = most / self._divisor(request.length)
      done = ended.ranks[:, wanted - 1 : wanted] >= bound
      scores = jnp.where(done, -jnp.inf, scores)
    return _Search(state.number + 1, tokens, scores, parent, token, ended)

  def _lines(
    self,
    tokens: Int[Array, "b w n"],
    count: Int[Array, ""] | int,
    ends: int,
    scores: Float[Array, "b w"],
  ) -> Beams:
    """Lines of `count` tokens, then END if `ends`, with their ranks."""
    lengths = jnp.full(scores.shape, count, jnp.int32)
    ranks = scores / self._divisor(count + ends)
    return Beams(tokens, lengths, scores, ranks)

  def _divisor(self, count: Int[Array, ""] | int) -> Any:
    return ((5 + count) / 6) ** self.penalty


def _going(state: _Search) -> Bool[Array, "b w"]:
  """Which lines there are that may be continued."""
  return state.scores != -jnp.inf


def _begin(request: Request, width: int) -> _Search:
  """One line without a token, and none that has ended."""
  shape = request.batch, width
  zeros = jnp.zeros(shape, jnp.int32)
  tokens = jnp.full((*shape, request.length), request.fill, jnp.int32)
  none = jnp.full(shape, -jnp.inf)
  first = none.at[:, 0].set(0.0)
  ended = Beams(tokens, zeros, none, none)
  return _Search(jnp.int32(0), tokens, first, zeros, zeros, ended)


def _best(one: Beams, other: Beams, width: int) -> Beams:
  """The lines of the highest ranks; of those alike, the ones of `one`."""
  both = jax.tree.map(lambda a, b: jnp.concatenate([a, b], 1), one, other)
  _, index = jax.lax.top_k(both.ranks, width)
  tokens = jnp.take_along_axis(both.tokens, index[..., None], axis=1)
  rest = (jnp.take_along_axis(leaf, index, axis=1) for leaf in both[1:])
  return Beams(tokens, *rest)
