"""Masked tokens (Devlin 2019): the objective of an encoder alone."""

import dataclasses

import jax
import jax.numpy as jnp

from research.record import check_share
from research.shapes import RandomKey
from research.tasks.base import Example
from research.tasks.wrapped import Wrapped


@dataclasses.dataclass(frozen=True)
class MaskedTokens(Wrapped):
  """Some tokens of another task's rows are hidden, and asked for.

  Formula: of n tokens max(1, ⌊share · n + ½⌋) are chosen, each set alike
  likely. A chosen one becomes MASK with probability 0.8 and any token with
  0.1; else it stays. The label is what it was. MASK is the last token, V.

  With `share=0.25` on a row of eight tokens, where V = 6:

    row     3 1 4 1 5 2 0 5
    inputs  3 1 6 1 5 2 2 5
    labels      4       0

  Others than the chosen ones may not be told from them, so that every token's
  vector has to know its context. There is no oracle: what is hidden follows
  from the rest only as far as the rows have rules. Labels and slices of the
  wrapped task are not used.

  Scores: `chance` is the share of the most frequent token, told from 4,096
  examples. A visible token is right for half of the chosen ones that are not
  MASK. Cost: O(L log L) beside the task's own.

  Attributes:
    task: whose rows these are; `--task.task.length` changes its length.
    share: of the tokens, those that are chosen.
  """

  share: float = 0.15

  def __post_init__(self) -> None:
    self.check_tokens()
    check_share(self, "share")

  @property
  def vocabulary(self) -> int:
    return self.task.vocabulary + 1

  @property
  def classes(self) -> int:
    return self.task.vocabulary

  def sample(self, key: RandomKey) -> Example:
    for_row, for_order, for_role, for_token = jax.random.split(key, 4)
    example = self.task.sample(for_row)
    tokens, valid = example.inputs, example.places.segments > 0
    most = max(1, int(self.share * self.length + 0.5))
    count = jnp.floor(self.share * jnp.sum(valid) + 0.5)
    used = jnp.arange(most) < jnp.maximum(count, 1)
    # Tokens come before padding, in an order of their own.
    order = jax.random.uniform(for_order, (self.length,))
    order = jnp.argsort(jnp.where(valid, order, 2.0))[:most]
    targets = tokens[order]
    role = jax.random.uniform(for_role, (most,))
    drawn = jax.random.randint(for_token, (most,), 0, self.classes)
    shown = jnp.where(role < 0.9, drawn, targets)
    shown = jnp.where(role < 0.8, self.classes, shown)
    where = jnp.where(used, order, self.length)
    return Example(
      inputs=tokens.at[where].set(shown, mode="drop"),
      places=example.places,
      targets=jnp.where(used, targets, 0),
      weights=used.astype(jnp.float32),
      at=jnp.where(used, order, 0),
      slices={"masked": (role < 0.8).astype(jnp.int32)},
    )
