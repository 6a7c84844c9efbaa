"""Multi-query associative recall, MQAR (Arora 2023): what followed this key?"""

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from research.shapes import RandomKey
from research.tasks.base import Example, Task, plain_places


@dataclasses.dataclass(frozen=True)
class MultiQueryRecall(Task):
  """K pairs of key and value, then the keys again: which value was it?

  Formula: k_1 v_1 … k_K v_K, then k_j again at 2K + 2 g_j, with the label v_j.

  The slots g_j are drawn one after the other, without replacement, slot
  i = 1 … (L − 2K)/2 with a probability proportional to a·i^(a−1). With
  `vocabulary=12, length=16, pairs=(2,)` an example is

    inputs  3 9 5 6 0 0 5 0 0 0 3 0 0 0 0 0
    labels              6       9

  Scores: the best constant reaches 2/V (`chance`), a value taken blindly from
  the sequence 1/K on average, which is the plateau on which training waits.
  Random filler may repeat a key, with another token behind it; the first
  occurrence of a key is always the one in its pair. Cost: O(L + K²).

  Attributes:
    vocabulary: V, even; keys lie in [1, V/2), values in [V/2, V), and within
      an example no key and no value comes twice.
    length: L, even and at least 4K.
    pairs: the numbers K; every example draws one of them uniformly. A single
      number is the published task, several are the mixture of Arora 2024.
    power: a > 0. A small one asks again early, 1 anywhere alike.
    filler: what stands between the queries: token 0, or any token.
  """

  vocabulary: int = 8192
  length: int = 64
  pairs: tuple[int, ...] = (4,)
  power: float = 0.01
  filler: Literal["zero", "random"] = "zero"

  def __post_init__(self) -> None:
    if self.vocabulary < 4 or self.vocabulary % 2:
      raise ValueError(
        f"vocabulary = {self.vocabulary}; allowed: an even number >= 4, half "
        "of it for keys and half for values"
      )
    if self.length % 2:
      raise ValueError(f"length = {self.length}; allowed: an even number")
    most = min(self.length // 4, self.vocabulary // 2 - 1)
    if not self.pairs or min(self.pairs) < 1 or max(self.pairs) > most:
      raise ValueError(
        f"pairs = {self.pairs}; allowed: numbers from 1 to {most}, as 4 K <= "
        f"length = {self.length} and K < vocabulary / 2 = "
        f"{self.vocabulary // 2}"
      )
    if not self.power > 0:
      raise ValueError(f"power = {self.power}; allowed: more than 0")
    if self.filler not in ("zero", "random"):
      raise ValueError(f"filler = {self.filler!r}; allowed: zero, random")

  @property
  def classes(self) -> int:
    return self.vocabulary

  @property
  def chance(self) -> float:
    return 2.0 / self.vocabulary

  def sample(self, key: RandomKey) -> Example:
    for_number, for_keys, for_values, for_gaps, for_filler = jax.random.split(
      key, 5
    )
    most, half = max(self.pairs), self.vocabulary // 2
    number = jax.random.choice(for_number, jnp.asarray(self.pairs))
    keys = 1 + distinct(for_keys, most, half - 1)
    values = half + distinct(for_values, most, half)
    used = jnp.arange(most) < number
    at = jnp.where(used, 2 * (number + self._gaps(for_gaps, number)), 0)
    first = 2 * jnp.arange(most)
    # What belongs to no drawn pair is written beyond the end, and dropped.
    where = jnp.where(used, jnp.stack([first, first + 1, at]), self.length)
    inputs = self._filler(for_filler)
    inputs = inputs.at[where].set(jnp.stack([keys, values, keys]), mode="drop")
    return Example(
      inputs=inputs,
      places=plain_places(self.length),
      targets=jnp.where(used, values, 0),
      weights=used.astype(jnp.float32),
      at=at,
      slices={"pairs": jnp.full(most, number)},
    )

  def oracle(self, inputs: Sequence[Any]) -> list[Any]:
    answers = []
    for token in inputs:
      behind = inputs.index(token) + 1
      answers.append(inputs[behind] if behind < len(inputs) else None)
    return answers

  def _gaps(self, key: RandomKey, number: Int[Array, ""]) -> Int[Array, "a"]:
    """Slots g_j from 0, in the order in which they are drawn.

    The largest of log p_i + Gumbel noise, sorted, are distributed as draws
    without replacement (Vieira 2014, Kool 2019).
    """
    slots = self.length // 2 - min(self.pairs)
    slot = jnp.arange(slots)
    scores = (self.power - 1) * jnp.log1p(slot.astype(jnp.float32))
    scores = scores + jax.random.gumbel(key, (slots,))
    present = slot < self.length // 2 - number
    scores = jnp.where(present, scores, -jnp.inf)
    return jax.lax.top_k(scores, max(self.pairs))[1]

  def _filler(self, key: RandomKey) -> Int[Array, "t"]:
    if self.filler == "zero":
      return jnp.zeros(self.length, jnp.int32)
    return jax.random.randint(key, (self.length,), 0, self.vocabulary)


def distinct(key: RandomKey, count: int, size: int) -> Int[Array, "a"]:
  """`count` different numbers below `size`, each ordered choice alike likely.

  Number j is drawn by its rank among the size − j numbers left. From the last
  to the first, a rank becomes a number: those behind it that are not smaller
  move up by one. Cost: O(count²), whatever the size.
  """
  ranks = jax.random.randint(key, (count,), 0, size - jnp.arange(count))

  def place(i: Array, numbers: Array) -> Array:
    j = count - 2 - i
    behind = (jnp.arange(count) > j) & (numbers >= numbers[j])
    return numbers + behind

  return jax.lax.fori_loop(0, count - 1, place, ranks)
