"""Word problems of groups (state tracking): parity, counting, permutations."""

import dataclasses
import functools
import itertools
import re
from collections.abc import Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from research.record import check_number
from research.shapes import RandomKey
from research.tasks.base import Example, Task, plain_places

_SIZES = {"Z": range(2, 721), "S": range(3, 7), "A": range(4, 7)}
"""Of each kind of group: degrees whose groups have 720 elements or fewer."""


@dataclasses.dataclass(frozen=True)
class GroupWords(Task):
  """The product of all elements read so far (Merrill 2024).

  Formula: label_t = x_t ∘ … ∘ x_1, the first one acting first.

  The tokens are elements of the group, drawn uniformly. Z2 is parity of bits
  (Bhattamishra 2020), Z5 from generators the cycle navigation of Deletang
  2023, S5 the problem that no circuit of constant depth is believed to solve
  (it is complete for NC1, as A5 is; Barrington 1989). With `group="Z5",
  tokens="generators"` tokens 0, 1, 2 stand for the steps 0, +1, −1:

    inputs  1 1 0 2 2 2
    labels    2 2 1 0 4

  The first label would be the token itself and has weight 0.

  Scores: with all elements as tokens, whoever misses one token scores 1/|G|
  (`chance`). Products of generators begin near the identity, and `chance` is
  the best guess from that. Cost: O(L log L), by an associative scan.

  Attributes:
    group: "Z2" to "Z720", sums modulo that number; "S3" to "S6", all
      permutations, and "A4" to "A6", the even ones, in lexicographic order.
    tokens: all elements; or generators: the identity, and steps of one for Z,
      exchanges of two for S, rotations of three for A.
    length: L.
    scored: every product but the first, or the last one alone, which is how
      to test at a length.
  """

  group: str = "S5"
  tokens: Literal["elements", "generators"] = "elements"
  length: int = 16
  scored: Literal["every", "last"] = "every"

  def __post_init__(self) -> None:
    if not re.fullmatch("[ZSA][1-9][0-9]*", self.group) or (
      int(self.group[1:]) not in _SIZES[self.group[0]]
    ):
      known = (f"{k}{r[0]} to {k}{r[-1]}" for k, r in _SIZES.items())
      raise ValueError(f"group = {self.group!r}; allowed: {', '.join(known)}")
    check_number(self, "length", 2)
    for name, allowed in (
      ("tokens", ("elements", "generators")),
      ("scored", ("every", "last")),
    ):
      if getattr(self, name) not in allowed:
        raise ValueError(
          f"{name} = {getattr(self, name)!r}; allowed: {', '.join(allowed)}"
        )

  @property
  def vocabulary(self) -> int:
    return len(self._moves)

  @property
  def classes(self) -> int:
    return len(_table(self.group))

  @property
  def chance(self) -> float:
    return _guess(self.group, self.tokens, self.length, self.scored)

  @property
  def _moves(self) -> np.ndarray:
    """The element of each token, Int[c]."""
    if self.tokens == "generators":
      return _generators(self.group)
    return np.arange(self.classes)

  def sample(self, key: RandomKey) -> Example:
    tokens = jax.random.randint(key, (self.length,), 0, self.vocabulary)
    table = jnp.asarray(_table(self.group))
    products = jax.lax.associative_scan(
      lambda before, after: table[after, before],
      jnp.asarray(self._moves, jnp.int32)[tokens],
    )
    index = np.arange(self.length)
    if self.scored == "last":
      index = index[-1:]
    return Example(
      inputs=tokens,
      places=plain_places(self.length),
      targets=products[index],
      weights=jnp.asarray(index > 0, jnp.float32),
      at=None if self.scored == "every" else jnp.asarray(index, jnp.int32),
      slices={"position": jnp.asarray(_bucket(index), jnp.int32)},
    )

  def oracle(self, inputs: Sequence[Any]) -> list[Any]:
    degree = int(self.group[1:])
    answers: list[Any] = []
    if self.group[0] == "Z":
      steps = list(range(degree))
      if self.tokens == "generators" and degree > 2:
        steps = [0, 1, -1]
      for token in inputs:
        so_far = answers[-1] if answers else 0
        answers.append((so_far + steps[token]) % degree)
      return answers
    elements = [
      p
      for p in itertools.permutations(range(degree))
      if self.group[0] == "S" or _sign(p) > 0
    ]
    moves = elements
    if self.tokens == "generators":
      moved = 2 if self.group[0] == "S" else 3
      moves = [p for p in elements if _moved(p) in (0, moved)]
    product = elements[0]
    for token in inputs:
      product = tuple(moves[token][image] for image in product)
      answers.append(elements.index(product))
    return answers


def _sign(permutation: Sequence[int]) -> int:
  """+1 for an even permutation, −1 for an odd one."""
  pairs = itertools.combinations(permutation, 2)
  return (-1) ** sum(left > right for left, right in pairs)


def _moved(permutation: Sequence[int]) -> int:
  """How many points it moves."""
  return sum(i != image for i, image in enumerate(permutation))


def _bucket(index: np.ndarray) -> np.ndarray:
  """The smallest power of two that is not below the number of tokens read."""
  return 2 ** np.ceil(np.log2(index + 1)).astype(int)


@functools.lru_cache(maxsize=64)
def _permutations(group: str) -> np.ndarray:
  """The elements of S or A, Int[e n]: what each of n points goes to."""
  every = itertools.permutations(range(int(group[1:])))
  return np.array([p for p in every if group[0] == "S" or _sign(p) > 0])


@functools.lru_cache(maxsize=64)
def _table(group: str) -> np.ndarray:
  """The number of the element a ∘ b, Int32[e e]."""
  if group[0] == "Z":
    index = np.arange(int(group[1:]))
    table = (index[:, None] + index[None, :]) % len(index)
  else:
    elements = _permutations(group)
    weights = elements.shape[1] ** np.arange(elements.shape[1])[::-1]
    # As numbers of n digits the elements stand in rising order.
    products = elements[:, elements] @ weights
    table = np.searchsorted(elements @ weights, products)
  table = table.astype(np.int32)
  table.setflags(write=False)
  return table


@functools.lru_cache(maxsize=64)
def _generators(group: str) -> np.ndarray:
  """The identity and the generators, by number."""
  if group[0] == "Z":
    return np.array(list(dict.fromkeys((0, 1, int(group[1:]) - 1))))
  elements = _permutations(group)
  moved = np.sum(elements != np.arange(elements.shape[1])[None, :], axis=1)
  wanted = 2 if group[0] == "S" else 3
  return np.flatnonzero((moved == 0) | (moved == wanted))


@functools.lru_cache(maxsize=256)
def _guess(group: str, tokens: str, length: int, scored: str) -> float:
  """The best accuracy of who sees the own token and not those before.

  The own token only renames the product of those before, whose distribution
  is known: a guess is right as often as its most frequent element comes.
  """
  table = _table(group)
  if tokens == "elements":
    return 1 / len(table)
  moves = _generators(group)
  before = np.zeros(len(table))
  before[0] = 1.0
  total, steps = np.zeros(len(table)), 0
  for read in range(1, length):
    after = np.zeros(len(table))
    for move in moves:
      after[table[move]] += before / len(moves)
    before = after
    if scored == "every" or read == length - 1:
      total, steps = total + before, steps + 1
  return float(total.max() / steps)
