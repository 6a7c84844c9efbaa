"""The blocks that are looked at hold every allowed pair, once."""

import math

import numpy as np
import pytest

from research.evaluations.attention import blocks as subject
from research.evaluations.attention.blocks import Blocks, blocks
from research.evaluations.attention.products import SHARED
from research.masks import Blocks as Blocked
from research.masks import Causal, Full, Global, Mask, Prefix, Window
from research.sparse_masks import Dilated, Fixed, Strided
from tests.small_blocks import blocks_of

MASKS = {
  "full": Full(),
  "causal": Causal(),
  "window": Window(3),
  "causal window": Causal() & Window(5),
  "sinks": Causal() & (Window(2) | Global(1)),
  "global": Global(2),
  "prefix": Causal() | Prefix(6),
  "blocks": Blocked(5),
  "causal blocks": Causal() & Blocked(9),
  "far": Causal() & ~Window(10),
  "nobody": ~Full(),
  "dilated": Dilated(3, 7),
  "strided": Causal() & Strided(6),
  "fixed": Causal() & Fixed(8, 2),
}
LENGTHS = [(24, 24), (21, 21), (5, 18), (18, 5), (1, 30), (3, 3)]


def seen(mask: Mask, t: int, s: int) -> np.ndarray:
  """Who may look at whom, both counted from the first."""
  allowed = mask.allows(np.arange(t)[:, None], np.arange(s)[None, :])
  return np.broadcast_to(allowed, (t, s))


def counted(cover: Blocks, found: np.ndarray, t: int, s: int) -> np.ndarray:
  """How many of some blocks each pair lies in; beyond the end, too."""
  rows, columns = cover.size
  count = np.zeros((t + rows, s + columns), int)
  for i, j in found:
    assert i * rows < t and j * columns < s
    count[i * rows : (i + 1) * rows, j * columns : (j + 1) * columns] += 1
  return count


@pytest.mark.parametrize("sizes", [(4,), (4, 8)], ids=str)
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("name", MASKS)
def test_every_allowed_pair_lies_in_one_block(name, lengths, sizes):
  mask, (t, s) = MASKS[name], lengths
  with blocks_of(*sizes):
    cover = blocks(mask, t, s, 2)
  allowed = np.zeros((t + cover.size[0], s + cover.size[1]), bool)
  allowed[:t, :s] = seen(mask, t, s)
  full = counted(cover, cover.full, t, s)
  partial = counted(cover, cover.partial, t, s)
  assert ((full + partial)[allowed] == 1).all() and (full + partial).max() <= 1
  assert allowed[full == 1].all()  # nobody is forbidden, no end sticks out
  for i, j in cover.partial:
    rows, columns = cover.size
    inside = allowed[i * rows :, j * columns :][:rows, :columns]
    assert inside.any() and not inside.all()


def test_what_is_not_known_is_looked_at():
  with blocks_of(4):
    cover = blocks(None, 10, 7, 1)
  assert not len(cover.full)
  wanted = [(i, j) for i in range(3) for j in range(2)]
  assert [tuple(block) for block in cover.partial] == wanted


def looked_at(cover: Blocks) -> int:
  return (len(cover.full) + len(cover.partial)) * np.prod(cover.size)


def test_blocks_of_a_narrow_window_are_smaller():
  whole = blocks(Causal(), 2048, 2048, 2).size
  narrow = blocks(Causal() & Window(64), 2048, 2048, 2).size
  assert np.prod(whole) >= 4 * np.prod(narrow)
  cover = blocks(Causal(), 2048, 2048, 2)
  assert looked_at(cover) < 0.75 * 2048**2
  assert len(cover.full) and len(cover.partial)


@pytest.mark.parametrize("heads", [1, 8])
@pytest.mark.parametrize("batch", [1, 8, 32, 128, 1024])
def test_a_block_has_no_more_scores_than_it_may(batch, heads):
  maps = batch * heads
  cover = blocks(Causal(), 4096, 4096, maps, heads)
  assert math.prod(cover.size) * maps <= subject._MOST * cover.groups


@pytest.mark.parametrize("heads", [1, 6, 8])
def test_heads_are_divided_where_a_block_of_all_would_be_large(heads):
  cover = blocks(Causal(), 1024, 1024, 16 * heads, heads)
  assert heads % cover.groups == 0 and (cover.groups > 1) == (heads > 1)
  assert subject._groups(6) == [1, 2, 3, 6]


@pytest.mark.parametrize("heads", [1, 8])
def test_blocks_that_data_leave_empty_are_smaller_with_more_examples(heads):
  few, many = (
    math.prod(blocks(Causal(), 1024, 1024, n, heads, skips=True).size)
    for n in (8, 64)
  )
  assert many <= subject._FINE < SHARED <= few


@pytest.mark.parametrize("maps", [1, 8, 32])
def test_cores_share_the_products_of_a_block(maps):
  rows, columns = blocks(Causal(), 1024, 1024, maps).size
  assert rows * columns >= SHARED


def test_the_smallest_block_is_taken_where_all_are_too_large():
  assert 64 * 64 * 2**12 > subject._MOST
  assert blocks(Causal(), 300, 300, 2**12).size == (64, 64)


@pytest.mark.parametrize(("t", "s"), [(1, 1000), (70, 1000), (1000, 100)])
def test_blocks_are_no_longer_than_they_have_to_be(t, s):
  rows, columns = blocks(Full(), t, s, 1).size
  assert rows < 2 * max(t, 64) and columns < 2 * max(s, 64)


def test_work_in_a_window_is_linear_in_the_length():
  mask = Causal() & Window(128)
  lengths = 1024, 2048, 4096, 8192
  work = [looked_at(blocks(mask, n, n, 8)) for n in lengths]
  for n, amount in zip(lengths, work, strict=True):
    assert amount <= 4 * n * 128
