"""What a run may depend on besides its record: versions, machine, commit."""

import datetime
import os
import pathlib
import platform
import subprocess
from importlib import metadata
from typing import Any

import jax


def environment() -> dict[str, Any]:
  """Versions, machine and commit: what a run may depend on."""
  devices = jax.devices()
  packages = ("jax", "jaxlib", "flax", "optax", "numpy")
  return {
    "python": platform.python_version(),
    "platform": f"{platform.system()} {platform.machine()}",
    "processor": _processor(),
    "cores": os.cpu_count(),
    **{name: metadata.version(name) for name in packages},
    "mixerlab": _version(),
    "backend": devices[0].platform,
    "device": devices[0].device_kind,
    "devices": len(devices),
    "commit": _git("rev-parse", "HEAD"),
    "dirty": bool(_git("status", "--porcelain")),
    "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
  }


def _processor() -> str:
  try:
    text = pathlib.Path("/proc/cpuinfo").read_text()
  except OSError:
    return platform.processor() or platform.machine()
  for line in text.splitlines():
    if line.startswith("model name"):
      return line.split(":", 1)[1].strip()
  return platform.processor() or platform.machine()


def _version() -> str:
  try:
    return metadata.version("mixerlab")
  except metadata.PackageNotFoundError:
    return "not installed"


def _git(*words: str) -> str:
  """What git says of the source tree; empty without git."""
  here = pathlib.Path(__file__).parent
  try:
    done = subprocess.run(
      ["git", *words], cwd=here, capture_output=True, text=True, check=False
    )
  except OSError:
    return ""
  return done.stdout.strip() if done.returncode == 0 else ""
