"""Several processes share a run: the bits of one, and one that writes."""

import dataclasses
import json
import shutil
import signal

import jax
import numpy as np
import pytest

from research import processes
from research.command.distributed import joined
from research.preparation import prepare
from research.processes import (
  by_first,
  check_same,
  gathered,
  largest,
  placed,
)
from research.run import run
from tests import several
from tests.several import CHUNKS, EXPERIMENT
from tests.test_run import numbers
from tests.tiny import Listener


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
  """The files of one process with as many devices."""
  assert len(jax.devices()) == several.COUNT * several.DEVICES
  folder = tmp_path_factory.mktemp("alone") / "run"
  return numbers(run(EXPERIMENT, out=folder).folder)


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
  """A shared run whose process 0 was killed in the last chunk."""
  folder = tmp_path_factory.mktemp("killed") / "run"
  first, other = several.start(str(folder), str(CHUNKS))
  assert first.returncode == -signal.SIGKILL, first.stderr
  assert other.returncode not in (0, -signal.SIGKILL)  # it ends by itself
  return folder


def test_one_process_goes_on_where_several_stopped(killed, alone, tmp_path):
  folder = shutil.copytree(killed, tmp_path / "run")
  listener = Listener()
  run(EXPERIMENT, out=folder, progress=listener)
  assert not listener.notes
  assert [one.step for one in listener.of("chunk")] == [10]
  assert numbers(folder) == alone


def test_killed_and_continued_has_the_bits_of_one_process(
  killed, alone, tmp_path
):
  folder = shutil.copytree(killed, tmp_path / "run")
  before = folder / "checkpoints/second/step_00000008.json"
  assert before.exists() and not (folder / "summary.json").exists()
  record = str(killed / "experiment.json")
  first, other = several.start(
    "run", record, "--out", str(folder), "--distributed"
  )
  assert first.returncode == other.returncode == 0, first.stderr
  assert numbers(folder) == alone
  # Only process 0 talks, but for what Gloo prints.
  assert "second (1/1): step 10/10" in first.stdout
  assert "step 4/10" not in first.stdout
  told = [x for x in other.stdout.splitlines() if not x.startswith("[Gloo]")]
  assert not told
  assert json.loads((folder / "environment.json").read_text())["devices"] == 4


def test_what_process_0_cannot_do_is_an_error_of_all(tmp_path):
  (tmp_path / "other").touch()
  ends = several.start(str(tmp_path), "1")
  assert [one.returncode for one in ends] == [2, 2]
  first, other = (one.stdout.splitlines()[-1] for one in ends)
  assert first.startswith(f"out = '{tmp_path}' holds other files; allowed: ")
  assert other == f"process 0: {first}"


@pytest.mark.parametrize(
  "change", [{"timed": True}, {"lengths": (4, 8)}], ids=str
)
def test_times_of_several_processes_are_refused(change, monkeypatch):
  monkeypatch.setattr("jax.process_count", lambda: 2)
  with pytest.raises(ValueError, match="processes = 2 with .*; allowed: 1"):
    prepare(dataclasses.replace(EXPERIMENT, **change))


def test_another_experiment_is_refused_in_all_processes(monkeypatch):
  check_same("this", "the experiment")
  monkeypatch.setattr("research.processes.by_first", lambda work: "another")
  with pytest.raises(ValueError, match="the experiment is not the same in all"):
    check_same("this", "the experiment")


def test_long_messages_come_in_pieces(monkeypatch):
  monkeypatch.setattr("research.processes._PIECE", 3)
  monkeypatch.setattr("research.processes._send", lambda piece: piece)
  assert processes._broadcast(b"12345678") == b"12345678"
  assert processes._broadcast(b"") == b""


def test_one_process_has_the_plain_thing():
  tree = {"a": np.arange(4.0), "b": [np.int32(3)]}
  assert gathered(tree) is tree
  assert largest(-7) == -7
  with pytest.raises(ZeroDivisionError):
    by_first(lambda: 1 // 0)
  device = jax.sharding.SingleDeviceSharding(jax.devices()[1])
  on_device = placed(tree, device)
  assert on_device["a"].sharding == device
  assert placed(on_device, device)["a"] is on_device["a"]


@pytest.mark.parametrize(
  ("name", "value", "message"),
  [
    ("JAX_NUM_PROCESSES", "two", "JAX_NUM_PROCESSES = 'two'; allowed: a num"),
    ("JAX_PROCESS_ID", "0", "--distributed: .*; allowed: .* JAX_COORDINATOR_"),
  ],
)
def test_processes_that_cannot_be_found_are_named(
  name, value, message, monkeypatch
):
  monkeypatch.setenv(name, value)
  with pytest.raises(ValueError, match=message), joined(asked=True):
    pass
