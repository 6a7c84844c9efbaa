"""`bench recurrence`: what the table says; timing itself is no test."""

import json

import jax
import pytest

from research.bench import interleave, recurrence
from research.command import bench, bench_recurrence


@pytest.fixture
def rates(monkeypatch):
  """Two rounds; the second one has half of the speed, for all alike."""
  monkeypatch.setattr(bench_recurrence, "has_torch", lambda: True)
  speed = {"ours": 8.0, "flax": 4.0, "torch": 16.0}

  def taken(contenders, **told):
    return {
      (name, length): [one := speed[name.split("-")[1]], one / 2]
      for name, length in contenders
    }

  return taken


def test_the_table(rates):
  text, data = bench_recurrence.tables(rates)
  lines = [line.split() for line in text.splitlines()]
  # The medians of 8 and 4 calls a second; half of flax's time, twice torch's.
  assert [line for line in lines if line[0] == "mixerlab"] == [
    ["mixerlab", "166.7", "1.00×"]
  ] * 2
  assert [line for line in lines if line[0] == "flax.linen.RNN"] == [
    ["flax.linen.RNN", "333.3", "0.50×"]
  ] * 2
  assert [line for line in lines if line[0] == "PyTorch"] == [
    ["PyTorch", "83.3", "2.00×"]
  ] * 2
  assert data["recurrence-torch-gru"] == {"256": [16.0, 8.0]}


def test_without_torch(rates, monkeypatch):
  monkeypatch.setattr(bench_recurrence, "has_torch", lambda: False)
  text, data = bench_recurrence.tables(rates)
  assert "PyTorch" not in text and "recurrence-torch-lstm" not in data


def test_the_command_prints_and_keeps(rates, monkeypatch, tmp_path, capsys):
  monkeypatch.setattr(interleave, "rates", rates)
  file = tmp_path / "rounds.json"
  assert bench.main(["recurrence", "--json", str(file)]) == 0
  assert capsys.readouterr().out == bench_recurrence.tables(rates)[0]
  kept = json.loads(file.read_text())
  assert kept["recurrence-ours-lstm"] == {"256": [8.0, 4.0]}


@pytest.mark.parametrize("form", ["ours-lstm", "flax-gru"])
def test_a_contender_can_be_called(form, monkeypatch):
  monkeypatch.setattr(recurrence, "WIDTH", 2)
  calls = recurrence.prepare(form, 3)
  with jax.no_tracing():
    assert calls(2) == 2
