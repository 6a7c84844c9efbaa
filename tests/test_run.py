"""A whole run: its files, and that nothing which stops it changes them."""

import dataclasses
import json
import os
import shutil
import signal

import jax
import numpy as np
import pytest

from research.experiment import Change
from research.run import Interrupted, load, run
from research.training.evaluation import one_by_one
from research.training.member import root
from research.training.plan import plan
from tests.tiny import CHUNKS, EXPERIMENT, Listener, start


def go(folder, listener=None, experiment=EXPERIMENT, **more):
  return run(
    experiment,
    out=folder,
    save_seconds=0.0,
    progress=listener or Listener(),
    **more,
  )


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
  """A run that nothing happened to."""
  listener = Listener()
  folder = tmp_path_factory.mktemp("undisturbed") / "run"
  return go(folder, listener, command="do it"), listener


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
  """A run that was killed in the third chunk of its second variant.

  Two checkpoints are there, and the last chunk is lost.
  """
  folder = tmp_path_factory.mktemp("killed") / "run"
  done = start(folder, CHUNKS)
  assert done.returncode == -signal.SIGKILL, done.stderr
  return folder


def copy(folder, to):
  return shutil.copytree(folder, to / "run")


def numbers(folder):
  """All files that hold results, without what depends on the clock."""
  summary = json.loads((folder / "summary.json").read_text())
  timed = ("compile_seconds", "train_seconds", "examples_per_second")
  for row in summary["rows"]:
    for name in timed:
      row.pop(name)
  parameters = {
    path.name: path.read_bytes() for path in (folder / "parameters").iterdir()
  }
  return (folder / "metrics.jsonl").read_bytes(), parameters, summary


def assert_undisturbed(folder, undisturbed):
  """Bit for bit, and nothing is left over."""
  expected = undisturbed[0].folder
  assert numbers(folder) == numbers(expected)
  assert sorted(os.listdir(folder)) == sorted(os.listdir(expected))


def test_a_run_leaves_its_files(undisturbed):
  folder = undisturbed[0].folder
  assert sorted(os.listdir(folder)) == [
    "environment.json", "experiment.json", "lock", "metrics.jsonl",
    "parameters", "summary.csv", "summary.json", "variants",
  ]  # fmt: skip
  assert sorted(os.listdir(folder / "parameters")) == [
    "first.npz", "second.npz"
  ]  # fmt: skip
  known = json.loads((folder / "environment.json").read_text())
  assert known["seconds"] > 0
  experiment = json.loads((folder / "experiment.json").read_text())
  assert experiment["command"] == "do it"


def test_metrics_have_a_line_for_each_member_and_evaluation(undisturbed):
  curves = undisturbed[0].curves
  assert len(curves) == 2 * 3 * 4
  assert set(curves[0]) == {
    "variant", "seed", "learning_rate", "step", "loss", "validation_loss",
    "validation", "status",
  }  # fmt: skip
  assert [line["step"] for line in curves[::4]] == [4, 8, 10] * 2
  assert [line["variant"] for line in curves[::12]] == ["first", "second"]
  assert {line["status"] for line in curves[8:12]} == {"finished"}


def test_the_summary_has_the_rows_and_verdicts(undisturbed):
  summary = undisturbed[0].summary
  found = {
    (row.variant, row.task, row.slice, row.metric) for row in summary.rows
  }
  one = {
    ("test", "all", "accuracy"), ("test", "all", "loss"),
    ("test", "asked=1", "accuracy"), ("test", "asked=2", "accuracy"),
    ("easy", "all", "accuracy"), ("easy", "all", "loss"),
    ("easy", "asked=1", "accuracy"),
  }  # fmt: skip
  assert found == {(name, *row) for name in ("first", "second") for row in one}
  assert all(len(row.values) == 2 and row.steps == 10 for row in summary.rows)
  verdicts = {row.claim: row for row in summary.verdicts}
  assert [*verdicts] == ["same", "better"]
  assert {row.verdict for row in summary.verdicts} == {"undecided"}
  left, right = summary.find("first"), summary.find("second")
  assert verdicts["same"].estimate == pytest.approx(left.mean - right.mean)


def test_progress_is_told(undisturbed):
  listener = undisturbed[1]
  events = ["compile", "chunk", "chunk", "chunk", "variant"]
  assert [one.event for one in listener.told] == events * 2
  last = listener.of("chunk")[-1]
  assert (last.variant, last.index, last.variants) == ("second", 1, 2)
  assert (last.step, last.steps) == (10, 10)
  lines = undisturbed[0].curves[-4:]
  rates = {line["learning_rate"] for line in lines}
  means = [
    np.mean([x["validation"] for x in lines if x["learning_rate"] == rate])
    for rate in rates
  ]
  assert last.score == pytest.approx(max(means))
  assert last.loss == pytest.approx(np.mean([line["loss"] for line in lines]))
  assert last.examples_per_second > 0
  seconds = [one.seconds for one in listener.told]
  assert seconds == sorted(seconds)
  assert not listener.notes


@pytest.mark.parametrize("seed", [0, 1])
def test_a_loaded_model_has_the_accuracy_that_was_recorded(undisturbed, seed):
  loaded = load(undisturbed[0].folder)
  assert loaded.experiment == EXPERIMENT
  assert loaded.summary == undisturbed[0].summary
  model, variables = loaded.model("second", seed=seed)
  variant = EXPERIMENT.variant("second")
  made = plan(variant.task, variant.model, variant.training)
  assert model == made.model
  key, count = root(jax.numpy.uint32(seed), "test"), variant.training.test
  check = jax.jit(lambda p: one_by_one(made, variant.task, p, key, count))
  seen = check(variables["params"])
  weight = seen["weight"]
  accuracy = float((seen["score"] * weight).sum() / weight.sum())
  row = loaded.summary.find("second")
  assert accuracy == pytest.approx(row.values[seed], rel=1e-6)


def test_a_notebook_shows_the_table(undisturbed):
  shown = undisturbed[0]._repr_html_()
  assert "<table" in shown and "second" in shown


def test_what_was_not_trained_cannot_be_loaded(undisturbed, tmp_path):
  loaded = undisturbed[0]
  with pytest.raises(ValueError, match="seed = 2; allowed: 0 to 1"):
    loaded.model("first", seed=2)
  with pytest.raises(ValueError, match="'frist'; did you mean first"):
    loaded.model("frist")
  folder = copy(loaded.folder, tmp_path)
  path = folder / "parameters/first.npz"
  for spoil in (
    lambda: path.write_bytes(b"PK"), lambda: path.write_bytes(b""), path.unlink
  ):  # fmt: skip
    spoil()
    with pytest.raises(ValueError, match=r"first.npz cannot be read"):
      load(folder).model("first")


def test_killed_and_started_again_is_undisturbed(killed, undisturbed, tmp_path):
  folder = copy(killed, tmp_path)
  assert not (folder / "summary.json").exists()
  with (folder / "metrics.jsonl").open("a") as file:
    file.write('{"variant": "second", "step": 10}\n{"torn')
  listener = Listener()
  go(folder, listener)
  assert_undisturbed(folder, undisturbed)
  assert listener.notes == ["first was finished before"]
  assert [one.step for one in listener.of("chunk")] == [10]


def test_a_damaged_checkpoint_is_named_and_the_one_before_used(
  killed, undisturbed, tmp_path
):
  folder = copy(killed, tmp_path)
  newest = folder / "checkpoints/second/step_00000008"
  files = [path for path in newest.rglob("*") if path.is_file()]
  largest = max(files, key=lambda path: path.stat().st_size)
  data = bytearray(largest.read_bytes())
  data[len(data) // 2] ^= 1
  largest.write_bytes(bytes(data))
  listener = Listener()
  go(folder, listener)
  assert_undisturbed(folder, undisturbed)
  assert len(listener.notes) == 2
  assert f"{newest} is damaged" in listener.notes[1]
  assert [one.step for one in listener.of("chunk")] == [8, 10]


def test_ctrl_c_saves_first_and_the_run_goes_on(undisturbed, tmp_path):
  before = signal.getsignal(signal.SIGINT)
  part, folder = EXPERIMENT.only(("first",)), tmp_path / "run"
  stop = Listener(1, lambda: os.kill(os.getpid(), signal.SIGINT))
  with pytest.raises(Interrupted) as interrupted:
    run(part, out=folder, progress=stop)
  assert signal.getsignal(signal.SIGINT) == before
  assert interrupted.value.folder == folder
  assert interrupted.value.signal == signal.SIGINT
  assert (folder / "checkpoints/first/step_00000004.json").exists()
  seconds = json.loads((folder / "environment.json").read_text())["seconds"]
  listener = Listener()
  go(folder, listener, part)
  assert [one.step for one in listener.of("chunk")] == [8, 10]
  metrics, parameters, summary = numbers(folder)
  whole = numbers(undisturbed[0].folder)
  assert metrics.splitlines() == whole[0].splitlines()[:12]
  assert parameters["first.npz"] == whole[1]["first.npz"]
  assert summary["rows"] == whole[2]["rows"][:7]
  known = json.loads((folder / "environment.json").read_text())
  assert known["seconds"] > seconds > 0


def test_sigterm_saves_and_nobody_else_writes_meanwhile(tmp_path):
  part, folder = EXPERIMENT.only(("first",)), tmp_path / "run"

  def stop():
    with pytest.raises(ValueError, match="is in use by process"):
      go(folder, experiment=part)
    os.kill(os.getpid(), signal.SIGTERM)

  with pytest.raises(Interrupted) as interrupted:
    run(part, out=folder, progress=Listener(2, stop))
  assert interrupted.value.signal == signal.SIGTERM
  assert (folder / "checkpoints/first/step_00000008.json").exists()
  # It lets go of the folder, as it does when its listener fails.

  def fail():
    raise BrokenPipeError("its own")

  for _ in range(2):
    with pytest.raises(BrokenPipeError, match="its own"):
      go(folder, Listener(1, fail), part)


def test_a_full_disk_is_one_error_and_what_was_saved_is_intact(
  undisturbed, tmp_path
):
  # In the second chunk no file may grow beyond 1,000 bytes any more.
  folder = tmp_path / "run"
  done = start(folder, 2, 1000)
  assert done.returncode == 2, done.stderr
  assert done.stdout == (
    f"out = '{folder}' cannot be written (File too large); what was saved "
    "before is intact, and the same command goes on\n"
  )
  assert "Traceback" not in done.stderr
  listener = Listener()
  go(folder, listener)
  assert_undisturbed(folder, undisturbed)
  assert listener.of("chunk")[0].step == 8 and not listener.notes


def test_bad_input_is_found_before_a_folder_is_made(tmp_path):
  odd = Change("odd", (("model.mixer.heads", 3),))
  bad = dataclasses.replace(EXPERIMENT, variants=(*EXPERIMENT.variants, odd))
  with pytest.raises(ValueError, match="variant 'odd': heads = 3 .*; allowed"):
    go(tmp_path / "run", experiment=bad)
  assert not any(tmp_path.iterdir())


def test_a_signal_between_variants_compiles_no_more(killed, tmp_path):
  listener = Listener(1, lambda: os.kill(os.getpid(), signal.SIGINT), "note")
  with pytest.raises(Interrupted):
    go(copy(killed, tmp_path), listener)
  assert listener.notes and not listener.of("compile")


def test_costs_are_counted_first(killed, tmp_path, monkeypatch):
  def fail(plan):
    raise NotImplementedError("no costs")

  listener = Listener()
  monkeypatch.setattr("research.run.costs", fail)
  with pytest.raises(NotImplementedError, match="no costs"):
    go(copy(killed, tmp_path), listener)
  assert listener.notes and not listener.of("chunk")
