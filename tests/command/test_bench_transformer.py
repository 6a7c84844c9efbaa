"""`bench transformer`: what the tables say; timing itself is no test."""

import json
import os
import subprocess
import sys

import jax
import pytest

from research.bench import interleave, transformer
from research.command import bench, bench_transformer

SPEED = {
  ("transformer-ours", "16"): (4.0, 4.0, 2.0),
  ("transformer-torch", "16"): (2.0, 1.0, 1.5),
  ("transformer-scanned", "8"): (0.5, 0.5, 0.25),
  ("transformer-scanned", "64"): (0.4, 0.4, 0.2),
  ("transformer-unrolled", "8"): (0.25, 0.1, 0.2),
}
"""Round by round. The last one slows all; PyTorch and the unrolled layers drift
by themselves."""


@pytest.fixture
def rates(monkeypatch):
  """Three rounds of every contender."""
  monkeypatch.setattr(bench_transformer, "has_torch", lambda: True)

  def taken(contenders, **told):
    return {one: [*SPEED[one]] for one in contenders}

  return taken


def test_the_tables(rates):
  text, data = bench_transformer.tables(rates)
  rows = [line.split() for line in text.splitlines()]
  assert ["mixerlab", "250.0", "1.00×"] in rows
  # The median of 0.5, 0.25 and 0.75; that of the times is 2 / 3 s.
  assert ["torch.nn.Transformer", "666.7", "0.50×"] in rows
  assert ["8", "scanned", "2.00", "1.00×"] in rows
  assert ["64", "scanned", "2.50", "1.25×"] in rows
  # The median of 2, 5 and 1.25.
  assert ["8", "unrolled", "5.00", "2.00×"] in rows
  assert data["transformer-scanned"]["64"] == [0.4, 0.4, 0.2]


def test_the_tables_name_the_sizes_that_are_timed(rates, monkeypatch):
  assert (
    "6 + 6 layers (float32, width 256, 8 heads, source 63, target 64, batch "
    "16, vocabulary 512)\n" in bench_transformer.tables(rates)[0]
  )
  monkeypatch.setattr(transformer, "WIDTH", 128)
  assert bench_transformer.tables(rates)[0].count("width 128") == 2


def test_without_torch(rates, monkeypatch):
  monkeypatch.setattr(bench_transformer, "has_torch", lambda: False)
  text, data = bench_transformer.tables(rates)
  rows = [line.split() for line in text.splitlines()]
  assert ["torch.nn.Transformer", "-", "-"] in rows
  assert "transformer-torch" not in data


def test_the_command_prints_and_keeps(rates, monkeypatch, tmp_path, capsys):
  monkeypatch.setattr(interleave, "rates", rates)
  file = tmp_path / "rounds.json"
  assert bench.main(["transformer", "--json", str(file)]) == 0
  assert capsys.readouterr().out == bench_transformer.tables(rates)[0]
  kept = json.loads(file.read_text())
  assert kept["transformer-ours"] == {"16": [4.0, 4.0, 2.0]}


def test_steps_are_one_program(monkeypatch):
  sizes = {"LAYERS": 1, "WIDTH": 4, "HEADS": 2, "LENGTH": 3, "SYMBOLS": 5}
  for name, size in {**sizes, "BATCH": 4, "CHUNK": 2}.items():
    monkeypatch.setattr(transformer, name, size)
  steps = transformer.prepare("ours", 4)
  with jax.no_tracing():
    assert steps(5) == 4  # whole chunks


_TWICE = """
import jax.numpy as jnp
from research.bench.compilation import compilations

traced = []

def program(x):
  traced.append(x)
  return jnp.sin(x) * 3

jnp.ones(3) + 1  # what looks for the cache, and keeps it in mind
assert compilations(program, jnp.ones(3))(2) == 2
assert len(traced) == 2
"""


def test_every_compilation_begins_anew(tmp_path):
  """In a process of its own, whose cache on disk it shall not read."""
  caches = {
    "JAX_COMPILATION_CACHE_DIR": str(tmp_path),
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
  }
  subprocess.run(
    [sys.executable, "-c", _TWICE], env={**os.environ, **caches}, check=True
  )
  kept = [path.name for path in tmp_path.iterdir()]
  assert kept
  assert not [name for name in kept if "program" in name]
