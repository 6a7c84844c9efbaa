"""Addition of two decimal numbers, digit by digit."""

import dataclasses
import functools
import itertools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from research.record import check_number
from research.shapes import RandomKey
from research.tasks.base import Example
from research.tasks.transduction import (
  SYMBOLS,
  Transduction,
  glued,
  own_numbers,
  stacked,
)

_PLUS = 10


@dataclasses.dataclass(frozen=True)
class Addition(Transduction):
  """The digits of a, a plus sign and the digits of b are rewritten as a + b.

  The number of digits of each is drawn first, 1 to `digits`, all alike
  likely, then the digits; no number of several digits begins with 0. Digit x
  is token x of the source and token x + 2 of the target, plus is token 10.

    source  1 2 + 3 4 5
    target  3 5 7 END

  A carry may come from every place behind, so that the first digit of the sum
  depends on all of the source; written in reverse, each digit needs one place
  of either number and one carry (Lee 2023, Nogueira 2021).

  Scores: `chance` is the share of END or of the most frequent digit of a sum,
  whichever is larger; it is computed place by place. Who knows all but the
  carries scores about a half. Cost: O(digits).

  Attributes:
    digits: of the longest number.
    reverse: whether the sum is written from its last digit on.
  """

  digits: int = 4
  reverse: bool = False

  def __post_init__(self) -> None:
    check_number(self, "digits", 1)

  @property
  def vocabulary(self) -> int:
    return _PLUS + 1

  @property
  def classes(self) -> int:
    return SYMBOLS + 10

  @property
  def length(self) -> int:
    return self.digits + 2

  @property
  def source_length(self) -> int:
    return 2 * self.digits + 1

  @property
  def chance(self) -> float:
    written = _written(self.digits)
    return max(1.0, *written) / (1.0 + sum(written))

  def text(self, tokens: Sequence[int]) -> str:
    return "".join(map(str, own_numbers(tokens)))

  def source_text(self, tokens: Sequence[int]) -> str:
    return "".join("0123456789+"[token] for token in tokens)

  def sample(self, key: RandomKey) -> Example:
    for_counts, for_digits = jax.random.split(key)
    counts = jax.random.randint(for_counts, (2,), 1, self.digits + 1)
    first = jnp.arange(self.digits) == 0
    least = (first[None, :] & (counts[:, None] > 1)).astype(jnp.int32)
    shape = (2, self.digits)
    numbers = jax.random.randint(for_digits, shape, least, 10)
    pieces = stacked(numbers[0], _PLUS, numbers[1])
    sizes = jnp.array([1, 1, 1]).at[jnp.array([0, 2])].set(counts)
    source, count = glued(pieces, sizes, self.source_length)
    total, carries = _add(numbers, counts)
    longer = jnp.max(counts)
    size = longer + carries[longer - 1]
    order = jnp.arange(self.length)
    if not self.reverse:
      order = jnp.maximum(size - 1 - order, 0)
    target = SYMBOLS + total[jnp.minimum(order, self.digits)]
    slices = {"digits": longer, "carries": jnp.sum(carries)}
    return self.pair(source, count, target, size, slices)

  def oracle(self, inputs: Sequence[Any]) -> list[Any]:
    left, right = self.source_text(inputs).split("+")
    answer = [SYMBOLS + int(digit) for digit in str(int(left) + int(right))]
    return answer[::-1] if self.reverse else answer


def _add(
  numbers: Int[Array, "p t"], counts: Int[Array, "p"]
) -> tuple[Int[Array, "s"], Int[Array, "s"]]:
  """Digits of the sum and carries out of each place, from the last place on.

  Args:
    numbers: digits from the first on.
    counts: how many each number has.

  Returns:
    Int[t+1] each. A place whose digits add up to 9 hands on the carry that it
    gets; so the latest other place decides.
  """
  places = jnp.arange(numbers.shape[1] + 1)
  index = counts[:, None] - 1 - places[None, :]
  digits = jnp.take_along_axis(numbers, jnp.maximum(index, 0), axis=1)
  sums = jnp.sum(jnp.where(index >= 0, digits, 0), axis=0)
  latest = jax.lax.cummax(jnp.where(sums == 9, -1, places))
  carries = (latest >= 0) & (sums[jnp.maximum(latest, 0)] > 9)
  carries = carries.astype(jnp.int32)
  return (sums + jnp.pad(carries[:-1], (1, 0))) % 10, carries


@functools.lru_cache(maxsize=64)
def _written(digits: int) -> tuple[float, ...]:
  """How often each digit comes in a sum, on average.

  The digits of a place are drawn apart from the carry into it, so that its
  distribution follows from that of the place behind.
  """
  expected = np.zeros(10)
  for sizes in itertools.product(range(1, digits + 1), repeat=2):
    carry = np.array([1.0, 0.0])
    for place in range(max(sizes)):
      one, other = (_drawn(size, place) for size in sizes)
      totals = np.convolve(np.convolve(one, other), carry).reshape(2, 10)
      expected += totals.sum(axis=0)
      carry = totals.sum(axis=1)
    expected[1] += carry[1]
  return tuple((expected / digits**2).tolist())


def _drawn(size: int, place: int) -> np.ndarray:
  """The distribution of a number's digit at a place, counted from behind."""
  if place >= size:
    return np.eye(10)[0]
  least = 1 if place == size - 1 and size > 1 else 0
  return (np.arange(10) >= least) / (10 - least)
