"""Which blocks of queries and keys have to be looked at, and how large."""

import functools
import math
from typing import NamedTuple

import numpy as np

from research.evaluations.attention.products import SHARED
from research.masks import Mask

_SIZES = (64, 128, 256, 512)
_WIDEST = 256
"""How many keys a block of several maps may have; more were slower."""

_MOST = 2**23
"""How many scores a block may have: several arrays of 32 MiB are there at once,
and for each member of a `vmap`, of which nothing is known here."""

_FINE, _LOOSE = 2**14, 2**20
"""Where data leave blocks empty: how many pairs a block may have, and how many
scores beyond. It is skipped if no example needs it: with more examples it has
to be smaller."""

_NEAR, _FAR = 2**19, 0.05
"""How many scores of a block stay near a core, and by how much the time of a
score grows with each doubling beyond."""

_ALONE = 1.4
"""How much longer a score takes in a block of less than `SHARED` pairs."""

_QUERY, _KEY, _BLOCK = 30, 50, 10_000
"""What a query and a key of a block cost beside its scores, and a block beside
all, in scores. These numbers are fitted to times of 17 cases on two cores."""


class Blocks(NamedTuple):
  """The blocks of an evaluation: rows of queries, columns of keys.

  Attributes:
    size: of a block, (queries, keys).
    full: the blocks in which everybody may look at everybody, [n 2].
    partial: the blocks in which somebody may, [n 2]. All others are empty.
    groups: into how many the heads are divided, one a block.
    skips: whether data may leave more blocks empty.
  """

  size: tuple[int, int]
  full: np.ndarray
  partial: np.ndarray
  groups: int = 1
  skips: bool = False


@functools.lru_cache(maxsize=256)
def blocks(
  mask: Mask | None,
  t: int,
  s: int,
  maps: int,
  heads: int = 1,
  skips: bool = False,
) -> Blocks:
  """The cheapest cover of what a mask leaves of `t` queries and `s` keys.

  Args:
    mask: who may look at whom, both counting 0, 1, 2, …; None if that is not
      known while tracing, and no block can be left out.
    t: the number of queries.
    s: the number of keys.
    maps: batch times heads: how many scores a pair has.
    heads: how many there are that need not be in one block.
    skips: whether data may leave more blocks empty.
  """
  grain = _SIZES[0]
  some, every = _grains(mask, t, s, grain)
  sizes = [(rows, columns) for rows in _sizes(t) for columns in _sizes(s)]
  covers = [_cover(some, every, grain, size) for size in sizes]
  found = [
    cover._replace(groups=n, skips=skips)
    for n in _groups(heads)
    for cover in covers
    if maps == 1 or cover.size[1] <= _WIDEST
    if not skips or math.prod(cover.size) <= max(_FINE, _LOOSE // maps)
  ]
  fits = [c for c in found if math.prod(c.size) * maps <= _MOST * c.groups]
  smallest = covers[0]._replace(groups=_groups(heads)[-1], skips=skips)
  return min(fits or [smallest], key=lambda cover: _cost(cover, maps))


def _groups(heads: int) -> list[int]:
  """Into how many groups of one size heads can be divided."""
  return [n for n in range(1, heads + 1) if heads % n == 0]


def _sizes(length: int) -> list[int]:
  """Sizes of blocks; all but the first that is long enough are in vain."""
  enough = [size for size in _SIZES if size >= length]
  return [size for size in _SIZES if size < length] + enough[:1]


def _cost(cover: Blocks, maps: int) -> float:
  """The time that a cover takes, in scores of one head and example."""
  count = len(cover.full) + len(cover.partial)
  rows, columns = cover.size
  pairs = rows * columns
  maps //= cover.groups
  score = 1 + _FAR * max(0.0, math.log2(pairs * maps / _NEAR))
  if pairs < SHARED:
    score *= _ALONE
  edges = _QUERY * rows + _KEY * columns
  return count * (pairs * score + edges + _BLOCK / maps)


def _grains(
  mask: Mask | None, t: int, s: int, grain: int
) -> tuple[np.ndarray, np.ndarray]:
  """For small blocks: whether somebody, and whether everybody, may look.

  A block that sticks out over the end is not for everybody.
  """
  rows, columns = -(-t // grain), -(-s // grain)
  some = np.zeros((rows, columns), bool)
  every = np.zeros((rows, columns), bool)
  if mask is None:
    return ~some, every
  for i in range(rows):
    query = np.arange(i * grain, min((i + 1) * grain, t))
    last = min(i + 1, columns) if mask.causal else columns
    first = max(i * grain - mask.reach(max(t, s)) + 1, 0) // grain
    first = min(first, last)
    key = np.arange(first * grain, min(last * grain, s))
    inside = np.zeros((grain, (last - first) * grain), bool)
    if inside.size:
      inside[: len(query), : len(key)] = mask.known(
        query[:, None], key[None, :]
      )
      split = inside.reshape(grain, last - first, grain)
      some[i, first:last] = split.any(axis=(0, 2))
      every[i, first:last] = split.all(axis=(0, 2))
  return some, every


def _cover(
  some: np.ndarray, every: np.ndarray, grain: int, size: tuple[int, int]
) -> Blocks:
  """Small blocks put together to larger ones."""
  each = tuple(side // grain for side in size)
  rows, columns = (-(-n // m) for n, m in zip(some.shape, each, strict=True))
  whole = (rows * each[0], columns * each[1])

  def joined(small: np.ndarray) -> np.ndarray:
    padded = np.zeros(whole, bool)
    padded[: small.shape[0], : small.shape[1]] = small
    return padded.reshape(rows, each[0], columns, each[1])

  full = joined(every).all(axis=(1, 3))
  partial = joined(some).any(axis=(1, 3)) & ~full
  return Blocks(size, np.argwhere(full), np.argwhere(partial))
