import dataclasses
import json
import pathlib

import pytest

from research.command import against, progress
from research.command.main import main
from research.comparison import load
from research.experiment import Change
from research.results import write_json, write_summary
from research.run import Interrupted
from tests.command import tiny

MACHINE = {"jax": "0.10.2", "device": "cpu"}


def results(folder, experiment=None, *, machine=None, rows=None, word="holds"):
  """Writes the plain files of a run into a folder."""
  folder.mkdir(parents=True, exist_ok=True)
  chosen = experiment or tiny.experiment()
  rows = [tiny.row(name) for name in chosen.names()] if rows is None else rows
  verdicts = [tiny.verdict(word, claim.name) for claim in chosen.claims]
  write_json(folder / "experiment.json", tiny.document(chosen))
  write_json(folder / "environment.json", machine or MACHINE)
  write_summary(folder, tiny.summary(*rows, verdicts=tuple(verdicts)))
  return folder


@pytest.fixture
def reference(here, own_pages):
  return results(own_pages / "reference" / "tiny")


@pytest.fixture
def run(monkeypatch):
  """Puts made-up results in the place of a run; tells how it was called."""
  calls = []

  def put(**more):
    def run(experiment, *, out, command, fresh, progress):
      calls.append((experiment, pathlib.Path(out), command))
      return load(results(pathlib.Path(out), experiment, **more))

    monkeypatch.setattr(progress, "run", run)
    return calls

  return put


def verified(*arguments):
  return main(["verify", "tiny", *arguments])


@pytest.mark.usefixtures("reference")
class TestRunAgain:
  def test_equal_values_are_verified(self, run, capsys):
    calls = run()
    assert verified() == 0
    ((experiment, out, command),) = calls
    assert experiment == tiny.experiment()
    assert command == "python -m experiments verify tiny"
    assert not out.exists()
    assert capsys.readouterr().out.splitlines()[-2:] == [
      "The machine, versions and code are the same: values have to be equal.",
      "2 rows and 1 verdict of tiny compared: 0 differences",
    ]

  def test_a_value_that_is_not_equal_is_told(self, run, capsys):
    run(rows=[tiny.row("attention"), tiny.row("rotary", 0.5, 0.7)])
    assert verified("-q") == 1
    assert capsys.readouterr().out.splitlines()[1:] == [
      "  value: rotary test all accuracy: values (0.5, 0.6) is now (0.5, 0.7)",
      "2 rows and 1 verdict of tiny compared: 1 difference",
    ]

  def test_on_another_machine_chance_is_no_difference(self, run, capsys):
    run(
      machine={**MACHINE, "jax": "0.12.0"},
      rows=[tiny.row("attention", 0.55, 0.6), tiny.row("rotary", 0.5)],
    )
    assert verified("-q") == 0
    out = capsys.readouterr().out
    assert "  jax 0.10.2 is now 0.12.0\n" in out
    assert "No test is possible" in out
    assert "  rotary test all accuracy\n" in out

  def test_with_changed_code_chance_is_no_difference(
    self, run, reference, capsys
  ):
    file = reference / "experiment.json"
    old = {**json.loads(file.read_text()), "code": "0" * 12}
    file.write_text(json.dumps(old))
    run(rows=[tiny.row("attention", 0.55, 0.6), tiny.row("rotary")])
    assert verified("-q") == 0
    out = capsys.readouterr().out
    assert f"  the code of the classes in {reference}, since it was" in out

  def test_a_verdict_that_flipped_is_told(self, run, capsys):
    run(machine={**MACHINE, "jax": "0.12.0"}, word="refuted")
    assert verified("-q") == 1
    out = capsys.readouterr().out
    assert "verdict: rotary_helps: holds is now refuted" in out

  def test_chosen_variants_alone_are_run_and_compared(self, run, capsys):
    calls = run()
    assert verified("--only", "rotary", "-q") == 0
    ((experiment, _, _),) = calls
    assert experiment.names() == ["rotary"]
    assert "1 row and 0 verdicts" in capsys.readouterr().out

  def test_the_run_can_be_kept(self, run, here):
    run()
    assert verified("--out", "kept", "-q") == 0
    assert (here / "kept" / "summary.json").exists()

  @pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--out", "kept"], "goes on"), ([], "With --out DIR")],
  )
  def test_a_stop_says_how_to_go_on(
    self, monkeypatch, capsys, arguments, words
  ):
    def stopped(*more, **keywords):
      raise Interrupted(pathlib.Path("kept"), 15)

    monkeypatch.setattr(progress, "run", stopped)
    assert verified(*arguments) == 143
    assert words in capsys.readouterr().err


@pytest.mark.usefixtures("reference")
class TestAgainst:
  def test_a_run_that_is_there_is_compared(self, here, capsys):
    results(here / "other")
    assert verified("--against", "other") == 0
    results(here / "other", rows=[tiny.row("attention")])
    assert verified("--against", "other") == 1
    assert "rotary test all accuracy: is missing" in capsys.readouterr().out

  def test_a_part_of_the_reference_is_enough(self, here, capsys):
    results(here / "part", tiny.experiment().only(("rotary",)))
    assert verified("--against", "part") == 0
    assert "1 row and 0 verdicts" in capsys.readouterr().out

  def test_more_seeds_are_compared_by_the_test(self, here, capsys):
    chosen = tiny.experiment()
    training = dataclasses.replace(chosen.training, seeds=3)
    chosen = dataclasses.replace(chosen, training=training)
    rows = [tiny.row(name, 0.5, 0.6, 0.55) for name in chosen.names()]
    results(here / "more", chosen, rows=rows)
    assert verified("--against", "more") == 0
    assert "  the number of seeds\n" in capsys.readouterr().out

  def test_another_experiment_is_refused(self, here, capsys):
    training = dataclasses.replace(tiny.experiment().training, steps=5)
    other = dataclasses.replace(tiny.experiment(), training=training)
    results(here / "other", other)
    assert verified("--against", "other") == 2
    error = capsys.readouterr().err
    assert other.identity in error and tiny.experiment().identity in error

  def test_a_folder_without_a_run_is_refused(self, here, capsys):
    assert verified("--against", "nowhere") == 2
    assert "nowhere" in capsys.readouterr().err


def test_damaged_results_are_refused(reference, here, capsys):
  folder = results(here / "other")
  (folder / "summary.json").write_text(json.dumps({"version": 2}))
  assert verified("--against", "other") == 2
  assert "version = 2; allowed: 1" in capsys.readouterr().err


def test_a_variant_of_another_name_is_another_experiment(tmp_path):
  other = dataclasses.replace(
    tiny.experiment(), variants=(Change("alone"),), claims=()
  )
  with pytest.raises(ValueError, match="holds another experiment"):
    against.matching(tiny.experiment(), other, tmp_path)
