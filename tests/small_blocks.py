"""Blocks small enough that a short sequence has several."""

import contextlib
from collections.abc import Iterator

import pytest

from research.evaluations.attention import blocks


@contextlib.contextmanager
def blocks_of(*sizes: int) -> Iterator[None]:
  """Blocks of these sizes instead of those that are fast."""
  with pytest.MonkeyPatch.context() as patch:
    blocks.blocks.cache_clear()
    patch.setattr(blocks, "_SIZES", sizes)
    yield
  blocks.blocks.cache_clear()
