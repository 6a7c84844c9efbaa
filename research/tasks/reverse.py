"""Reversal: the same tokens from the last to the first."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from research.record import check_number
from research.shapes import RandomKey
from research.tasks.base import Example
from research.tasks.transduction import SYMBOLS, Transduction


@dataclasses.dataclass(frozen=True)
class Reverse(Transduction):
  """x_1 … x_n is rewritten as x_n … x_1.

  n is drawn from `shortest` to `longest`, tokens from 0 to symbols − 1, each
  alike likely; token x of the source is token x + 2 of the target.

    source  4 0 2
    target  4 2 6 END

  Scores: with n̄ tokens on average, END is right at 1 / (n̄ + 1) of the places,
  and each symbol at n̄ / (n̄ + 1) / symbols of them; the larger is `chance`. Who
  knows the positions of the target, but not the source, has END of the longest
  alone. A monotonic alignment reads the wrong token everywhere but in the
  middle. Cost: O(longest). In Grefenstette 2015.

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
    back = jnp.maximum(count - 1 - jnp.arange(self.length), 0)
    target = SYMBOLS + tokens[back]
    return self.pair(tokens, count, target, count, {"size": count})

  def oracle(self, inputs: Sequence[Any]) -> list[Any]:
    return [SYMBOLS + token for token in reversed(inputs)]
