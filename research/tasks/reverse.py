"""Reversal: the same tokens from the last to the first."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Int

from research.tasks.transduction import SYMBOLS, Reordering


@dataclasses.dataclass(frozen=True)
class Reverse(Reordering):
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

  def reordered(
    self, tokens: Int[Array, "s"], count: Int[Array, ""]
  ) -> Int[Array, "s"]:
    return tokens[jnp.maximum(count - 1 - jnp.arange(self.longest), 0)]

  def oracle(self, inputs: Sequence[Any]) -> list[Any]:
    return [SYMBOLS + token for token in reversed(inputs)]
