"""Sorting: the same tokens in rising order."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Int

from research.tasks.transduction import SYMBOLS, Reordering


@dataclasses.dataclass(frozen=True)
class Sort(Reordering):
  """x_1 … x_n is rewritten as x_(1) ≤ … ≤ x_(n), repeats included.

  n is drawn from `shortest` to `longest`, tokens from 0 to symbols − 1, each
  alike likely; token x of the source is token x + 2 of the target.

    source  4 0 2 0
    target  2 2 4 6 END

  Scores: with n̄ tokens on average, END is right at 1 / (n̄ + 1) of the places,
  and each symbol at n̄ / (n̄ + 1) / symbols of them; the larger is `chance`. An
  answer that sees no source but its own last token does better: what follows
  is no smaller. Where a token stands depends on all the others, and not on
  its position. Cost: O(longest log longest). In Vinyals 2016 ("Order
  matters") and Graves 2014, there by priorities.

  Attributes:
    symbols: the number of different tokens.
    shortest, longest: how many tokens there are.
  """

  def reordered(
    self, tokens: Int[Array, "s"], count: Int[Array, ""]
  ) -> Int[Array, "s"]:
    inside = jnp.arange(self.longest) < count
    return jnp.sort(jnp.where(inside, tokens, self.symbols))

  def oracle(self, inputs: Sequence[Any]) -> list[Any]:
    return [SYMBOLS + token for token in sorted(inputs)]
