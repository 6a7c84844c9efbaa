"""The folder of a run: found or made, locked, written, continued."""

import dataclasses
import datetime
import fcntl
import json
import os
import pathlib
import shutil
from typing import Any

import jax
import numpy as np

from research.environment import environment, mixed
from research.experiment import Experiment
from research.record import code, from_json, to_json
from research.results import (
  PART,
  VERSION,
  finite,
  read_json,
  read_versioned,
  with_nan,
  write_json,
)

_OWN = ("experiment.json", "environment.json", "metrics.jsonl", "summary.json",
        "summary.csv", "report.html", "report.md", "figures", "parameters",
        "checkpoints", "variants", "tensorboard")  # fmt: skip


@dataclasses.dataclass
class RunFolder:
  """One run's folder, held by this process until `release`."""

  path: pathlib.Path
  lock: Any

  def __reduce__(self) -> tuple[Any, ...]:  # told to others, it is not theirs
    return type(self), (self.path, None)

  def release(self) -> None:
    """Lets other processes use the folder."""
    if self.lock is not None:
      self.lock.close()

  def outcome(self, variant: str) -> dict[str, Any] | None:
    """What was kept of a finished variant."""
    path = self.path / "variants" / f"{variant}.json"
    return with_nan(read_json(path)) if path.exists() else None

  def keep(self, variant: str, outcome: dict[str, Any]) -> None:
    """Writes down a finished variant."""
    write_json(self.path / "variants" / f"{variant}.json", outcome)

  def keep_parameters(self, variant: str, tree: dict) -> None:
    """Writes parameters [seed …] as `parameters/<variant>.npz`."""
    flat: dict[str, Any] = {
      "/".join(str(part.key) for part in path): np.asarray(leaf)
      for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }
    path = self.path / "parameters" / f"{variant}.npz"
    part = path.with_name(f"{path.name}{PART}")
    with part.open("wb") as file:
      np.savez(file, **flat)
    part.replace(path)

  def append(self, lines: list[dict[str, Any]]) -> int:
    """Adds lines to `metrics.jsonl`; its new size."""
    path = self.path / "metrics.jsonl"
    text = "".join(f"{json.dumps(finite(line))}\n" for line in lines)
    with path.open("a", encoding="utf-8") as file:
      file.write(text)
    return path.stat().st_size

  def cut(self, size: int) -> None:
    """Cuts `metrics.jsonl` back to what a checkpoint knew.

    Raises:
      ValueError: the file is shorter than that.
    """
    path = self.path / "metrics.jsonl"
    path.touch()
    if path.stat().st_size < size:
      raise ValueError(
        f"{path} has lost its end; allowed: the {size} bytes that were "
        "written before, or fresh"
      )
    os.truncate(path, size)

  def add_seconds(self, seconds: float) -> None:
    """Adds to the wall time of the run, over all processes it took."""
    path = self.path / "environment.json"
    known = read_json(path)
    total = known.get("seconds", 0.0) + seconds
    write_json(path, {**known, "seconds": total})


def open_folder(
  experiment: Experiment,
  out: pathlib.Path | None,
  *,
  fresh: bool,
  command: str,
) -> RunFolder:
  """Makes the folder of a run, or finds the one to be continued.

  Args:
    experiment: what is run.
    out: the folder itself; None for a new one under `results/<name>/`, or
      the newest there that holds the same experiment unfinished.
    fresh: do not continue; empties `out`.
    command: that repeats the run.

  Raises:
    ValueError: it cannot be written, is in use, or holds something else.
  """
  try:
    path = out if out is not None else _under_results(experiment, fresh)
    if path.is_symlink():  # `latest`, which must not come to name itself
      path = pathlib.Path(os.path.realpath(path))
    _check(path, experiment, fresh)
    path.mkdir(parents=True, exist_ok=True)
    folder = RunFolder(path, _hold(path))
    try:
      _check(path, experiment, fresh)  # nobody can change it any more
      _furnish(path, experiment, fresh, command)
    except BaseException:
      folder.release()
      raise
  except OSError as error:
    raise ValueError(
      f"out = {str(out or 'results')!r} cannot be written "
      f"({error.strerror}: {error.filename}); allowed: a folder that can"
    ) from error
  return folder


def read_experiment(path: pathlib.Path) -> Experiment:
  """The experiment of a run folder, or of an `experiment.json`.

  Raises:
    ValueError: missing, damaged, of another version, not to be imported, or
      no experiment.
  """
  file = path / "experiment.json" if path.is_dir() else path
  data = read_versioned(file)
  experiment = from_json(data.get("experiment"), "experiment")
  if not isinstance(experiment, Experiment):
    raise ValueError(
      f"{file}: experiment = {experiment!r}; allowed: an experiment, as a "
      "run writes it down"
    )
  return experiment


def read_curves(path: pathlib.Path) -> list[dict[str, Any]]:
  """The lines of a run folder's `metrics.jsonl`.

  Raises:
    ValueError: the file is damaged.
  """
  file = path / "metrics.jsonl"
  if not file.exists():
    return []
  try:
    lines = file.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]
  except ValueError as error:
    raise ValueError(f"{file} is damaged: {error}") from error


def _document(experiment: Experiment, command: str) -> dict[str, Any]:
  return {
    "version": VERSION,
    "scale": experiment.scale,
    "identity": experiment.identity,
    "code": code(experiment),
    "command": command,
    "experiment": to_json(experiment),
  }


def _furnish(
  path: pathlib.Path, experiment: Experiment, fresh: bool, command: str
) -> None:
  """Makes what every run folder has, once the lock is held."""
  if fresh:
    _empty(path)
  for name in ("variants", "parameters", "checkpoints"):
    (path / name).mkdir(exist_ok=True)
  file = path / "environment.json"
  if (path / "experiment.json").exists():
    known = read_json(file)
    write_json(file, {**known, "mixed": mixed(known)})
  else:
    write_json(file, environment())
    write_json(path / "experiment.json", _document(experiment, command))
  _point(path)


def _under_results(experiment: Experiment, fresh: bool) -> pathlib.Path:
  """The newest unfinished run of the experiment, or the name of a new one."""
  parent = pathlib.Path("results") / experiment.name
  for path in sorted(parent.glob("[0-9]*-*"), reverse=True):
    file = path / "experiment.json"
    if fresh or not file.exists() or (path / "summary.json").exists():
      continue
    if _begun(file) == (experiment.identity, code(experiment)):
      return path
  now = datetime.datetime.now()
  while True:
    new = parent / f"{now:%Y%m%d-%H%M%S}-{experiment.identity[:6]}"
    if not new.exists():
      return new
    now += datetime.timedelta(seconds=1)


def _begun(file: pathlib.Path) -> tuple[str, str] | None:
  """Identity and code of an `experiment.json`; None where it is damaged."""
  try:
    data = read_versioned(file)
  except ValueError:
    return None
  return data.get("identity", ""), data.get("code", "")


def _check(path: pathlib.Path, experiment: Experiment, fresh: bool) -> None:
  """Refuses a folder that holds something else, before it is touched."""
  if not path.exists() or not any(path.iterdir()):
    return
  file = path / "experiment.json"
  if not file.exists():
    names = {item.name.removesuffix(PART) for item in path.iterdir()}
    if names <= {"lock", *_OWN}:
      return
    raise ValueError(
      f"out = {str(path)!r} holds other files; allowed: a new folder, or "
      "one of this experiment"
    )
  data = read_versioned(file)
  if fresh:
    return
  if data.get("identity") != experiment.identity:
    raise ValueError(
      f"out = {str(path)!r} holds the experiment {data.get('identity')}; "
      f"allowed: {experiment.identity} ({experiment.name!r} as asked for), "
      "another folder, or fresh"
    )
  if (path / "summary.json").exists():
    raise ValueError(
      f"out = {str(path)!r} holds a finished run; allowed: another folder, "
      "or fresh"
    )
  if data.get("code") != code(experiment):
    raise ValueError(
      f"out = {str(path)!r} was begun with other code of the same classes; "
      "allowed: another folder, or fresh, as a run is not continued by a "
      "program that has changed"
    )


def _hold(path: pathlib.Path) -> Any:
  lock = (path / "lock").open("a+")
  try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
  except BlockingIOError as error:
    lock.seek(0)
    owner = lock.read().strip() or "unknown"
    lock.close()
    raise ValueError(
      f"out = {str(path)!r} is in use by process {owner}; allowed: one "
      "process a folder"
    ) from error
  except OSError:
    lock.close()
    raise
  return lock


def _empty(path: pathlib.Path) -> None:
  """Removes what a run makes, and nothing else."""
  for own in _OWN:
    for name in (own, f"{own}{PART}"):
      item = path / name
      shutil.rmtree(item) if item.is_dir() else item.unlink(missing_ok=True)


def _point(path: pathlib.Path) -> None:
  """`latest` beside the run points to it."""
  if path.parent.parent.name != "results":
    return
  part = path.parent / f".latest-{os.getpid()}"
  part.unlink(missing_ok=True)
  part.symlink_to(path.name)
  part.replace(path.parent / "latest")
