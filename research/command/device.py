"""Settings that jax reads from the environment when it is imported."""

import math
import os
import pathlib


def prepare() -> None:
  """Sets what the user has not: CPU devices and the compilation cache.

  jax sees one CPU device unless told otherwise, and compiles everything anew
  in every process. Members are trained side by side on several CPU devices,
  and what was compiled once is read from the cache.
  """
  if _devices_are_free():
    os.environ["JAX_NUM_CPU_DEVICES"] = str(devices(cores()))
  os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
  if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    folder = cache_folder()
    try:
      folder.mkdir(parents=True, exist_ok=True)
    except OSError:
      return  # A home that cannot be written costs time, not the run.
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder)


def devices(cores: int) -> int:
  """CPU devices for a number of cores: the largest power of two within.

  Where members are fewer than devices, several devices share a batch, and
  batches are divisible by powers of two.
  """
  return 1 << (max(cores, 1).bit_length() - 1)


def cores() -> int:
  """The cores that this process may use: affinity and quota are counted."""
  if hasattr(os, "sched_getaffinity"):
    count = len(os.sched_getaffinity(0))
  else:
    count = os.cpu_count() or 1
  return max(1, min(count, _quota(pathlib.Path("/sys/fs/cgroup"))))


def cache_folder() -> pathlib.Path:
  """Where compiled programs are kept: the user's folder for caches."""
  home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
  return pathlib.Path(home) / "mixerlab" / "jax"


def _devices_are_free() -> bool:
  platforms = os.environ.get("JAX_PLATFORMS", "") or "cpu"
  return (
    "cpu" in platforms.split(",")
    and "JAX_NUM_CPU_DEVICES" not in os.environ
    and "host_platform_device_count" not in os.environ.get("XLA_FLAGS", "")
  )


def _quota(root: pathlib.Path) -> int:
  """The cores that a container is limited to; many where it is not."""
  unlimited = 2**16
  try:
    if (root / "cpu.max").exists():
      limit, period = (root / "cpu.max").read_text().split()
    else:
      limit = (root / "cpu/cpu.cfs_quota_us").read_text()
      period = (root / "cpu/cpu.cfs_period_us").read_text()
    return math.ceil(int(limit) / int(period)) if int(limit) > 0 else unlimited
  except (OSError, ValueError):
    return unlimited  # No quota: "max", or no such file.
