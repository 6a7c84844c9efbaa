import os
import subprocess
import sys

import pytest

from research.command import allocator

FREED_BLOCKS = """
import resource, sys
from research.command.allocator import keep_pages
if sys.argv[1] == "keep":
  assert keep_pages()
bytearray(2**24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
  bytearray(2**24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(word):
  done = subprocess.run(
    [sys.executable, "-c", FREED_BLOCKS, word],
    capture_output=True,
    text=True,
    check=True,
  )
  return int(done.stdout)


@pytest.mark.skipif(
  not allocator._is_glibc(), reason="only glibc has these parameters"
)
def test_freed_blocks_are_used_again_without_page_faults():
  assert faults("keep") < 100 < faults("leave")


def test_a_choice_of_the_user_stays(monkeypatch):
  monkeypatch.setenv("MALLOC_TOP_PAD_", "1000")
  assert not allocator.keep_pages()
  monkeypatch.delenv("MALLOC_TOP_PAD_")
  monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.top_pad=1000")
  assert not allocator.keep_pages()


@pytest.mark.parametrize("answer", [None, ValueError(), AttributeError()])
def test_other_libraries_are_left_alone(monkeypatch, answer):
  def confstr(name):
    if answer is None:
      return None
    raise answer

  monkeypatch.setattr(os, "confstr", confstr, raising=False)
  assert not allocator.keep_pages()
