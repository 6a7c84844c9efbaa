"""`bench decoding`: what the table says; timing itself is no test."""

import json

import jax
import pytest

from research.bench import decoding, interleave
from research.command import bench, bench_decoding

SPEED = {
  "ours": (900.0, 900.0, 450.0),
  "torch": (300.0, 200.0, 225.0),
  "single": (450.0, 450.0, 225.0),
  "compiled": (0.5, 0.5, 0.25),
}
"""Round by round. The last one slows all, and PyTorch drifts by itself."""


@pytest.fixture
def rates(monkeypatch):
  """Three rounds of every contender."""
  monkeypatch.setattr(bench_decoding, "has_torch", lambda: True)

  def taken(contenders, **told):
    return {
      (name, batch): [one * int(batch) for one in SPEED[name.split("-")[1]]]
      for name, batch in contenders
    }

  return taken


def test_the_table(rates):
  text, data = bench_decoding.tables(rates)
  lines = [line.split() for line in text.splitlines()]
  rows = [line[-2:] for line in lines if line[0] in ("mixerlab", "PyTorch,")]
  # Two models, each at batch 1 and 16. The medians of the ratios 3, 4.5 and 2,
  # which is not the ratio 4 of the medians; and of 2, 2 and 2.
  assert (
    rows
    == [
      ["900", "1.00×"],
      ["225", "3.00×"],
      ["450", "2.00×"],
      ["14,400", "1.00×"],
      ["3,600", "3.00×"],
      ["7,200", "2.00×"],
    ]
    * 2
  )
  assert text.count("one compilation: 2.0 s") == 2
  assert data["decoding-torch-pair"]["16"] == [4800.0, 3200.0, 3600.0]


def test_the_table_names_the_sizes_that_are_timed(rates, monkeypatch):
  assert (
    "(float32, 4 layers, width 256, 4 heads, vocabulary 512, 128 tokens; "
    "source 64)\n" in bench_decoding.tables(rates)[0]
  )
  monkeypatch.setattr(decoding, "SOURCE", 7)
  assert "128 tokens; source 7)" in bench_decoding.tables(rates)[0]


def test_without_torch(rates, monkeypatch):
  monkeypatch.setattr(bench_decoding, "has_torch", lambda: False)
  text, data = bench_decoding.tables(rates)
  rows = [line.split() for line in text.splitlines() if "PyTorch" in line]
  assert [row[-2:] for row in rows] == [["-", "-"]] * 8
  assert "decoding-torch-decoder" not in data


def test_the_command_prints_and_keeps(rates, monkeypatch, tmp_path, capsys):
  monkeypatch.setattr(interleave, "rates", rates)
  file = tmp_path / "rounds.json"
  assert bench.main(["decoding", "--json", str(file)]) == 0
  assert capsys.readouterr().out == bench_decoding.tables(rates)[0]
  kept = json.loads(file.read_text())
  assert kept["decoding-ours-decoder"]["1"] == [900.0, 900.0, 450.0]


@pytest.mark.parametrize("kind", ["decoder", "pair"])
def test_all_lines_are_one_program(kind, monkeypatch):
  sizes = {"LAYERS": 1, "WIDTH": 4, "HEADS": 2, "VOCABULARY": 5, "TOKENS": 3}
  for name, size in {**sizes, "SOURCE": 2}.items():
    monkeypatch.setattr(decoding, name, size)
  tokens = decoding.prepare(f"ours-{kind}", 2)
  with jax.no_tracing():
    assert tokens(13) == 12  # two lines of two rows of three
