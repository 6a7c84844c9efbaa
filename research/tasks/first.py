"""The first symbol (a memory task): what stood there, some distance ago?"""

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp

from research.places import Places
from research.record import check_number
from research.shapes import RandomKey
from research.tasks.base import Example, Task

Side = Literal["left", "right"]


@dataclasses.dataclass(frozen=True)
class FirstSymbol(Task):
  """A symbol, distractors, and a mark that asks for the symbol.

  Formula: label = x_0, asked for at the mark x_d, d the row's distance.

  Tokens 0 … S − 1 are symbols, S is the mark, and D more are distractors;
  symbols and distractors are equally likely, so is each distance. Behind the
  mark a shorter row is padding. With `symbols=3, distractors=2, distances=(2,
  4)` two examples are

    inputs  1 5 3 . .    inputs  0 4 4 5 3
    label       1        label           0

  With `side="right"` the mark stands first and the symbol at distance d
  behind it: 3 5 1 . . asks at its first token for the last one.

  Scores: whoever does not see the symbol scores 1/S (`chance`). Nothing has
  to be computed, and one token counts: only reaching it, or keeping it, is
  hard. Cost: O(L).

  Attributes:
    symbols: S, also the number of classes.
    distractors: D, the number of different ones.
    distances: d; the length of an example is the largest and one more.
    side: of the mark, on which the symbol stands.
  """

  symbols: int = 8
  distractors: int = 4
  distances: tuple[int, ...] = (8, 16, 32, 64)
  side: Side = "left"

  def __post_init__(self) -> None:
    check_number(self, "symbols", 2)
    check_number(self, "distractors", 1)
    given = set(self.distances)
    if (
      not given
      or any(type(distance) is not int for distance in given)
      or len(given) < len(self.distances)
      or min(given) < 1
    ):
      raise ValueError(
        f"distances = {self.distances}; allowed: different whole numbers, "
        "1 or more"
      )
    if self.side not in ("left", "right"):
      raise ValueError(f"side = {self.side!r}; allowed: left, right")

  @property
  def vocabulary(self) -> int:
    return self.symbols + 1 + self.distractors

  @property
  def classes(self) -> int:
    return self.symbols

  @property
  def length(self) -> int:
    return max(self.distances) + 1

  def sample(self, key: RandomKey) -> Example:
    for_distance, for_symbol, for_rest = jax.random.split(key, 3)
    distance = jax.random.choice(for_distance, jnp.asarray(self.distances))
    symbol = jax.random.randint(for_symbol, (), 0, self.symbols)
    rest = jax.random.randint(
      for_rest, (self.length,), self.symbols + 1, self.vocabulary
    )
    ends = (jnp.zeros_like(distance), distance)
    origin, mark = ends if self.side == "left" else ends[::-1]
    index = jnp.arange(self.length)
    inside = index <= distance
    tokens = jnp.where(index == mark, self.symbols, rest)
    tokens = jnp.where(index == origin, symbol, tokens)
    return Example(
      inputs=jnp.where(inside, tokens, 0),
      places=Places(index, inside.astype(jnp.int32)),
      targets=symbol[None],
      weights=jnp.ones(1),
      at=mark[None],
      slices={"distance": distance[None]},
      origins=origin[None],
    )

  def oracle(self, inputs: Sequence[Any]) -> list[Any]:
    symbols = [token for token in inputs if token < self.symbols]
    # Padding looks like symbols, and stands behind the only one.
    return [symbols[0] if token == self.symbols else None for token in inputs]
