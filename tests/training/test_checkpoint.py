"""Checkpoints: the last two, whole or not at all, and told when damaged."""

import os
import resource
import shutil

import jax
import jax.numpy as jnp
import pytest

from research.training.checkpoint import Checkpoints, digest
from tests.training.problem import same


def tree(step):
  start = jnp.arange(600, dtype=jnp.float32).reshape(20, 30)
  return {"a": start + step, "b": {"c": jnp.int32([step, 7])}}


TARGET = jax.tree.map(jnp.zeros_like, tree(0))


@pytest.fixture
def saved(tmp_path):
  """Three checkpoints were saved."""
  folder = tmp_path / "variant"
  checkpoints = Checkpoints(folder)
  for step in (5, 10, 15):
    checkpoints.save(step, tree(step), {"step": step, "own": {"size": 3}})
  return checkpoints, folder


def restored(checkpoints):
  notes = []
  found = checkpoints.restore(TARGET, notes.append)
  return found, notes


def largest(folder):
  files = [path for path in folder.rglob("*") if path.is_file()]
  return max(files, key=lambda path: path.stat().st_size)


def flip(path):
  data = bytearray(path.read_bytes())
  data[len(data) // 2] ^= 1
  path.write_bytes(bytes(data))


def test_the_newest_comes_back_and_two_are_kept(saved):
  checkpoints, folder = saved
  (found, record), notes = restored(checkpoints)
  assert same(found, tree(15)) and not notes
  assert record == {"step": 15, "own": {"size": 3}}
  assert sorted(os.listdir(folder)) == [
    "step_00000010", "step_00000010.json",
    "step_00000015", "step_00000015.json",
  ]  # fmt: skip
  checkpoints.clear()
  assert not folder.exists()
  assert restored(checkpoints) == (None, [])


def truncate(folder):
  path = largest(folder / "step_00000015")
  os.truncate(path, path.stat().st_size // 2)


def edit(folder):
  path = folder / "step_00000015.json"
  path.write_text(path.read_text().replace('"size": 3', '"size": 4'))


DAMAGES = {
  "a flipped byte": lambda f: flip(largest(f / "step_00000015")),
  "a truncated file": truncate,
  "lost arrays": lambda f: shutil.rmtree(f / "step_00000015"),
  "a damaged seal": lambda f: flip(f / "step_00000015.json"),
  "an edited record": edit,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_one_is_named_and_the_one_before_is_used(saved, damage):
  checkpoints, folder = saved
  damage(folder)
  (found, record), notes = restored(checkpoints)
  assert same(found, tree(10)) and record["step"] == 10
  assert len(notes) == 1 and "step_00000015 is damaged (" in notes[0]
  # It is told once, does not come back, and does not count as one of two.
  (_, record), notes = restored(checkpoints)
  assert record["step"] == 10 and not notes
  checkpoints.save(12, tree(12), {"step": 12})
  assert restored(checkpoints)[0][1]["step"] == 12
  seals = sorted(path.name for path in folder.glob("*.json"))
  assert seals == ["step_00000010.json", "step_00000012.json"]


def test_one_without_a_seal_is_none(saved):
  checkpoints, folder = saved
  (folder / "step_00000015.json").unlink()
  (found, _), notes = restored(checkpoints)
  assert same(found, tree(10)) and not notes


def test_what_a_killed_process_left_is_never_seen_and_goes(saved):
  checkpoints, folder = saved
  half = folder / "step_00000020.orbax-checkpoint-tmp"
  shutil.copytree(folder / "step_00000015", half)
  largest(half).unlink()
  shutil.copytree(folder / "step_00000015", folder / "step_00000020")
  (folder / "step_00000020.part").write_text('{"digest"')
  assert restored(checkpoints)[0][1]["step"] == 15
  checkpoints.save(25, tree(25), {"step": 25})
  assert sorted(path.name for path in folder.glob("step_*.json")) == [
    "step_00000015.json", "step_00000025.json"
  ]  # fmt: skip
  assert len(os.listdir(folder)) == 4


def test_all_damaged_is_none_and_each_is_named(saved):
  checkpoints, folder = saved
  for seal in folder.glob("*.json"):
    flip(seal)
  found, notes = restored(checkpoints)
  assert found is None and len(notes) == 2
  checkpoints.save(5, tree(5), {"step": 5})
  assert restored(checkpoints)[0][1]["step"] == 5


def test_another_shape_is_no_checkpoint(saved):
  notes = []
  target = {**TARGET, "a": jnp.zeros((20, 31))}
  assert saved[0].restore(target, notes.append) is None
  assert len(notes) == 2 and "other arrays" in notes[0]


def test_several_processes_leave_those_of_one_as_they_are(saved, monkeypatch):
  checkpoints, folder = saved
  before = sorted(os.listdir(folder))
  monkeypatch.setattr("jax.process_count", lambda: 2)
  with pytest.raises(ValueError, match="continued by 2; allowed: one, or a f"):
    checkpoints._newest(TARGET, print)
  assert sorted(os.listdir(folder)) == before


def test_a_folder_that_cannot_be_written_is_an_os_error(tmp_path):
  (tmp_path / "file").write_text("")
  with pytest.raises(OSError):
    Checkpoints(tmp_path / "file" / "below").save(1, tree(1), {})


def test_a_full_disk_is_an_os_error_and_the_earlier_ones_are_intact(saved):
  checkpoints, folder = saved
  soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
  try:
    with pytest.raises(OSError, match="File too large"):
      checkpoints.save(20, tree(20), {"step": 20})
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
  assert restored(checkpoints)[0][1]["step"] == 15
  checkpoints.save(20, tree(20), {"step": 20})
  assert restored(checkpoints)[0][1]["step"] == 20


def test_a_digest_tells_bytes_names_and_records(tmp_path):
  digests = set()
  for name, text in (("a", "1"), ("a", "2"), ("b", "1"), ("a", "")):
    folder = tmp_path / str(len(digests))
    (folder / "below").mkdir(parents=True)
    (folder / "below" / name).write_text(text)
    digests |= {digest(folder, {}), digest(folder, {"x": 1})}
  assert len(digests) == 8
  assert digest(folder, {}) == digest(folder, {})
