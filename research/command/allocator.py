"""The memory allocator of the process, set before jax is imported."""

import ctypes
import os

_LARGEST = 2**31 - 1
_OPTIONS = {
  "M_TRIM_THRESHOLD": -1,
  "M_TOP_PAD": -2,
  "M_MMAP_THRESHOLD": -3,
}
"""The parameters of mallopt(3) by their names in malloc.h."""


def keep_pages() -> bool:
  """Lets glibc keep the memory that a training step frees.

  glibc takes large buffers from the kernel and gives them back when they are
  freed. XLA on CPU frees its buffers in every step, so that each step pays
  for fresh, zeroed pages: a third to a half of the time of a small model.
  With these thresholds freed buffers stay in the heap and are used again.

  It is for the whole process: a command may do it, a library must not.

  Returns:
    Whether it was done: on Linux with glibc, and only where the user has set
    no such parameter.
  """
  if not _is_glibc() or _chosen_by_user():
    return False
  mallopt = ctypes.CDLL(None).mallopt
  return all([mallopt(option, _LARGEST) for option in _OPTIONS.values()])


def _is_glibc() -> bool:
  try:
    return (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
  except (AttributeError, ValueError):
    return False


def _chosen_by_user() -> bool:
  names = [f"MALLOC_{name.removeprefix('M_')}_" for name in _OPTIONS]
  tuned = "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", "")
  return tuned or any(name in os.environ for name in names)
