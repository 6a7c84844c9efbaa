"""What tasks from one sequence to another have in common."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Shaped

from research.places import Places
from research.record import check_number
from research.shapes import RandomKey, lacks
from research.tasks.base import Example, Task, plain_places

BEGIN, END, SYMBOLS = 0, 1, 2
"""Tokens of every target: what stands before it, behind it, and the first of
the others."""


def own_numbers(tokens: Sequence[int]) -> list[int]:
  """What tokens of a target stand for, from 0; BEGIN and END are left out."""
  return [token - SYMBOLS for token in tokens if token >= SYMBOLS]


@dataclasses.dataclass(frozen=True)
class Transduction(Task):
  """A source is read, and a target of its own length is written. Abstract.

  The decoder gets BEGIN and the target, and is asked for the target and END
  (teacher forcing). Tokens of the target from `SYMBOLS` on are its own. The
  oracle is given the tokens of the source, or what else tells it, and returns
  the target without END.

  `vocabulary` counts tokens of the source, `classes` those of the target.
  `length` is that of the longest target, with END.
  """

  @property
  def reads_source(self) -> bool:
    return True

  @property
  def source_length(self) -> int:
    """s, the length of the longest source."""
    raise NotImplementedError(lacks(self, "source_length"))

  @property
  def positions(self) -> int | None:
    return self.length

  def text(self, tokens: Sequence[int]) -> str:
    """Tokens of a target as a reader wants to see them.

    Where they are shown as what they stand for, BEGIN and END are left out.
    """
    return " ".join(str(token) for token in tokens)

  def source_text(self, tokens: Sequence[int]) -> str:
    """Tokens of a source as a reader wants to see them."""
    return " ".join(str(token) for token in tokens)

  def pair(
    self,
    source: Shaped[Array, "s ..."],
    count: Int[Array, ""] | int,
    target: Int[Array, "t"],
    size: Int[Array, ""] | int,
    slices: Mapping[str, Any],
  ) -> Example:
    """The example of a source and its target.

    Args:
      source: tokens Int[s] or vectors Float[s i].
      count: how many of them there are; the rest is padding, made zero.
      target: Int[t], t = `length`, of which the last is never reached.
      size: how many tokens there are, below t; END is put behind them.
      slices: numbers of the example that results are sliced by, by name.
    """
    index = jnp.arange(self.length)
    inside = index <= size  # END is written as well
    target = jnp.where(index < size, target, END)
    inputs = jnp.concatenate([jnp.full(1, BEGIN), target[:-1]])
    places = until(count, len(source))
    valid = places.segments > 0  # `places.valid` is of batches
    valid = valid.reshape(-1, *(1,) * (source.ndim - 1))
    return Example(
      inputs=jnp.where(inside, inputs, 0).astype(jnp.int32),
      places=until(size + 1, self.length),
      targets=jnp.where(inside, target, 0).astype(jnp.int32),
      weights=inside.astype(jnp.float32),
      at=None,
      slices={
        name: jnp.full(self.length, value) for name, value in slices.items()
      },
      source=(jnp.where(valid, source, jnp.zeros_like(source)), places),
    )


@dataclasses.dataclass(frozen=True)
class Reordering(Transduction):
  """Tokens are written again in another order. Abstract.

  How many is drawn from `shortest` to `longest`, tokens from 0 to symbols − 1,
  each alike likely; token x of the source is token x + 2 of the target.

  Attributes:
    symbols: the number of different tokens.
    shortest, longest: how many tokens there are.
  """

  symbols: int = 8
  shortest: int = 1
  longest: int = 8

  def __post_init__(self) -> None:
    check_number(self, "symbols", 2)
    check_number(self, "longest", 1)
    why = f"for longest = {self.longest}"
    check_number(self, "shortest", 1, self.longest, why)

  @property
  def vocabulary(self) -> int:
    return self.symbols

  @property
  def classes(self) -> int:
    return SYMBOLS + self.symbols

  @property
  def length(self) -> int:
    return self.longest + 1

  @property
  def source_length(self) -> int:
    return self.longest

  @property
  def chance(self) -> float:
    mean = (self.shortest + self.longest) / 2
    return max(1.0, mean / self.symbols) / (mean + 1)

  def sample(self, key: RandomKey) -> Example:
    for_count, for_tokens = jax.random.split(key)
    count = jax.random.randint(for_count, (), self.shortest, self.length)
    tokens = jax.random.randint(for_tokens, (self.longest,), 0, self.symbols)
    target = jnp.pad(SYMBOLS + self.reordered(tokens, count), (0, 1))
    return self.pair(tokens, count, target, count, {"size": count})

  def reordered(
    self, tokens: Int[Array, "s"], count: Int[Array, ""]
  ) -> Int[Array, "s"]:
    """The first `count` tokens in their new order, and anything behind them."""
    raise NotImplementedError(lacks(self, "reordered"))


def until(count: Int[Array, ""] | int, length: int) -> Places:
  """The places of one sequence of `count` elements, padded to `length`."""
  places = plain_places(length)
  inside = places.positions < count
  return Places(
    jnp.where(inside, places.positions, 0), inside.astype(jnp.int32)
  )


def stacked(*rows: Int[Array, "..."] | int) -> Int[Array, "p w"]:
  """Tokens and rows of tokens as rows of one width, 0 behind the shorter."""
  arrays = [jnp.atleast_1d(jnp.asarray(row, jnp.int32)) for row in rows]
  width = max(map(len, arrays))
  return jnp.stack([jnp.pad(row, (0, width - len(row))) for row in arrays])


def glued(
  pieces: Int[Array, "p w"], counts: Int[Array, "p"], length: int
) -> tuple[Int[Array, "t"], Int[Array, ""]]:
  """Pieces of any size one behind the other, in a row of static length.

  Formula: the first counts_0 tokens of piece 0, those of piece 1 and so on,
  then 0. Cost: O(p t).

  Args:
    pieces: a row of tokens each.
    counts: how many of them each has; 0 for a piece that is left out.
    length: of the row, no less than the sum of `counts`.

  Returns:
    The row Int[t], and how many tokens it has.
  """
  index, ends = jnp.arange(length), jnp.cumsum(counts)
  piece = jnp.sum(index[None, :] >= ends[:, None], axis=0)
  piece = jnp.minimum(piece, len(pieces) - 1)
  within = jnp.clip(index - (ends - counts)[piece], 0, pieces.shape[1] - 1)
  return jnp.where(index < ends[-1], pieces[piece, within], 0), ends[-1]
