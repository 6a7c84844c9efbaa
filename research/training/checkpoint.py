"""Checkpoints at chunk ends: Orbax, the last two, each with a digest.

Orbax restores a flipped byte silently, so a seal of our own stands beside
each checkpoint, with a digest of its files. One that does not agree is named
and set aside. Of several processes that train together, process 0 alone
writes and reads: the others need not see the folder.
"""

import hashlib
import json
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from research.processes import by_first, gathered, placed

_KEPT = 2
_WHOLE = "arrays.npz"
"""What several processes gathered: Orbax saves nothing of process 0 alone."""
_OVERHEAD = 2**18
"""Bytes that Orbax may need besides the arrays."""


class Checkpoints:
  """The checkpoints of one variant in a folder of its own."""

  def __init__(self, folder: pathlib.Path) -> None:
    self._folder = folder.resolve()

  def save(self, step: int, tree: Any, record: dict[str, Any]) -> None:
    """Writes a checkpoint; what is not yet complete is never seen.

    Args:
      step: a number that grows; names the checkpoint.
      tree: arrays.
      record: plain JSON data to go with them.

    Raises:
      OSError: it cannot be written.
    """
    whole = gathered(tree)
    by_first(lambda: self._save(step, whole, record))

  def _save(self, step: int, tree: Any, record: dict[str, Any]) -> None:
    self._folder.mkdir(parents=True, exist_ok=True)
    self._find_room(tree)
    path = self._path(step)
    self._drop(step)
    try:
      _write(path, tree)
    except Exception as error:  # on a full disk, whatever its parts raise
      raise OSError(f"{path}: {_reason(error)}") from error
    seal = {
      "digest": digest(path, record),
      "arrays": _arrays(tree),
      "record": record,
    }
    part = path.with_suffix(".part")
    part.write_text(json.dumps(seal))
    part.replace(path.with_suffix(".json"))
    self._sweep()

  def restore(
    self, target: Any, note: Callable[[str], None]
  ) -> tuple[Any, dict[str, Any]] | None:
    """The newest sound checkpoint, or None.

    Args:
      target: arrays of the shapes, dtypes and shardings to restore to.
      note: told the name of every damaged checkpoint, in process 0.
    """
    whole = gathered(target)
    found = by_first(lambda: self._newest(whole, note))
    if found is None:
      return None
    where = jax.tree.map(lambda leaf: leaf.sharding, target)
    return placed(found[0], where), found[1]

  def _newest(
    self, target: Any, note: Callable[[str], None]
  ) -> tuple[Any, dict[str, Any]] | None:
    self._check_writers()
    for step in reversed(self._steps()):
      try:
        return self._read(step, target)
      except Exception as error:  # whatever a damaged file makes Orbax raise
        note(
          f"checkpoint {self._path(step)} is damaged ({_reason(error)}); "
          "using the one before it"
        )
        seal = self._path(step).with_suffix(".json")
        seal.replace(seal.with_suffix(".damaged"))
    return None

  def _check_writers(self) -> None:
    """Refuses what one process saved, in several: Orbax would wait for all."""
    one = [s for s in self._steps() if not (self._path(s) / _WHOLE).exists()]
    if one and jax.process_count() > 1:
      raise ValueError(
        f"{self._folder} was begun by one process and is continued by "
        f"{jax.process_count()}; allowed: one, or a fresh run"
      )

  def clear(self) -> None:
    """Removes them all."""
    shutil.rmtree(self._folder, ignore_errors=True)

  def _read(self, step: int, target: Any) -> tuple[Any, dict[str, Any]]:
    path = self._path(step)
    seal = json.loads(path.with_suffix(".json").read_text())
    if digest(path, seal["record"]) != seal["digest"]:
      raise ValueError("its digest does not agree")
    if _arrays(target) != seal["arrays"]:
      raise ValueError("it has other arrays, as of other devices")
    return _load(path, target), seal["record"]

  def _find_room(self, tree: Any) -> None:
    """Raises OSError on a full disk, before Orbax does in all its threads."""
    size = _OVERHEAD + sum(leaf.nbytes for leaf in jax.tree.leaves(tree))
    room = self._folder / "room"
    try:
      with room.open("wb") as file:
        for begin in range(0, size, _OVERHEAD):
          file.write(bytes(min(_OVERHEAD, size - begin)))
    finally:
      room.unlink(missing_ok=True)

  def _path(self, step: int) -> pathlib.Path:
    return self._folder / f"step_{step:08d}"

  def _steps(self) -> list[int]:
    """The complete checkpoints, oldest first."""
    seals = self._folder.glob("step_*.json")
    return sorted(int(seal.stem.removeprefix("step_")) for seal in seals)

  def _drop(self, step: int) -> None:
    """Removes a checkpoint; without its seal it is none any more."""
    path = self._path(step)
    path.with_suffix(".json").unlink(missing_ok=True)
    _remove(path)

  def _sweep(self) -> None:
    """Keeps the last two, and nothing that a killed process left."""
    kept = tuple(self._path(step).name for step in self._steps()[-_KEPT:])
    for item in sorted(self._folder.iterdir(), reverse=True):
      if not item.name.startswith(kept):
        _remove(item)


def digest(path: pathlib.Path, record: dict[str, Any]) -> str:
  """SHA-256 over a record, and the names and bytes of all files in a folder."""
  total = hashlib.sha256(json.dumps(record, sort_keys=True).encode())
  for file in sorted(item for item in path.rglob("*") if item.is_file()):
    content = file.read_bytes()
    name = file.relative_to(path).as_posix()
    total.update(f"{name} {len(content)} ".encode())
    total.update(content)
  return total.hexdigest()


def _write(path: pathlib.Path, tree: Any) -> None:
  """Saves arrays in a folder that is new."""
  if jax.process_count() == 1:
    from orbax.checkpoint import v1 as orbax

    orbax.save(path, tree)
    return
  path.mkdir()
  # As bytes, because NumPy's files do not know all of the dtypes.
  leaves = [np.frombuffer(x.tobytes(), np.uint8) for x in jax.tree.leaves(tree)]
  np.savez(path / _WHOLE, *leaves)


def _load(path: pathlib.Path, target: Any) -> Any:
  """What `_write` saved, whether as one process or as several."""
  if not (path / _WHOLE).exists():
    from orbax.checkpoint import v1 as orbax

    return orbax.load(path, target)
  leaves = jax.tree.leaves(target)
  with np.load(path / _WHOLE) as file:
    parts = [file[f"arr_{i}"].tobytes() for i in range(len(leaves))]
  found = [
    np.frombuffer(part, leaf.dtype).reshape(leaf.shape)
    for part, leaf in zip(parts, leaves, strict=True)
  ]
  return jax.tree.unflatten(jax.tree.structure(target), found)


def _arrays(tree: Any) -> dict[str, str]:
  """Dtype and shape of every leaf."""
  return {
    jax.tree_util.keystr(path): f"{leaf.dtype}{list(leaf.shape)}"
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
  }


def _reason(error: Exception) -> str:
  """The first line of what went wrong."""
  cause = error.__cause__ or error
  return next(iter(str(cause).splitlines()), type(cause).__name__)


def _remove(item: pathlib.Path) -> None:
  if item.is_dir():
    shutil.rmtree(item, ignore_errors=True)
  else:
    item.unlink(missing_ok=True)
