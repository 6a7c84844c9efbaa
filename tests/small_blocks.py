"""Blocks small enough that a short sequence has several."""

import contextlib
from collections.abc import Iterator

import pytest

from research.evaluations.attention import blocks


@contextlib.contextmanager
def blocks_of(*sizes: int, apart: bool = False) -> Iterator[None]:
  """Blocks of these sizes instead of those that are fast.

  Of one head each, where they may be `apart`.
  """
  with pytest.MonkeyPatch.context() as patch:
    blocks.blocks.cache_clear()
    patch.setattr(blocks, "_SIZES", sizes)
    if apart:
      patch.setattr(blocks, "_groups", lambda heads: [heads])
    yield
  blocks.blocks.cache_clear()
