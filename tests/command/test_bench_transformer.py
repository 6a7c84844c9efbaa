"""`bench transformer`: what the tables say; timing itself is no test."""

import dataclasses
import json
import os
import subprocess
import sys
import types

import jax
import pytest

from research.bench import interleave, transformer
from research.command import bench, bench_transformer

SPEED = {
  ("transformer-ours", "small"): (4.0, 4.0, 2.0),
  ("transformer-torch", "small"): (2.0, 1.0, 1.5),
  ("product", "float32"): (100.0, 100.0, 50.0),
  ("transformer-scanned", "8"): (0.5, 0.5, 0.25),
  ("transformer-scanned", "64"): (0.4, 0.4, 0.2),
  ("transformer-unrolled", "8"): (0.25, 0.1, 0.2),
}
"""Round by round. The last one slows all; PyTorch and the unrolled layers drift
by themselves."""


@pytest.fixture
def rates(monkeypatch):
  """Three rounds of every contender."""
  monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
  monkeypatch.setattr(bench_transformer, "has_torch", lambda **on: True)
  monkeypatch.setattr(transformer, "flops_per_step", lambda size: 4 * 2**33)

  def taken(contenders, **told):
    return {one: [*SPEED[one]] for one in contenders}

  return taken


def test_the_tables(rates):
  text, data = bench_transformer.tables(rates)
  rows = [line.split() for line in text.splitlines()]
  # 2 · 2048³ in a product, twice that in a step: 4 · 2 of 100 and so on.
  assert ["mixerlab", "250.0", "1.00×", "8%"] in rows
  # The median of 0.5, 0.25 and 0.75; that of the times is 2 / 3 s.
  assert ["torch.nn.Transformer", "666.7", "0.50×", "4%"] in rows
  assert "of 1.72 TFLOP/s" in text and "the 0.03 TFLOP that" in text
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
  sizes = {"small": dataclasses.replace(transformer.DEEP, width=128)}
  monkeypatch.setattr(transformer, "SIZES", sizes)
  monkeypatch.setattr(transformer, "DEEP", sizes["small"])
  assert bench_transformer.tables(rates)[0].count("width 128") == 2


@pytest.mark.parametrize("kind", ["NVIDIA H200", "another"])
def test_an_accelerator_has_the_base_size(rates, monkeypatch, kind):
  """A step takes half of the data sheet's FLOP/s."""
  monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
  known = types.SimpleNamespace(device_kind=kind)
  monkeypatch.setattr(jax, "devices", lambda: [known])
  monkeypatch.setattr(transformer, "flops_per_step", lambda size: 989e12 / 8)
  for name in ("ours", "torch"):
    rounds = SPEED[f"transformer-{name}", "small"]
    monkeypatch.setitem(SPEED, (f"transformer-{name}", "base"), rounds)
  monkeypatch.setitem(SPEED, ("product", "bfloat16"), (900.0, 900.0, 450.0))
  text, data = bench_transformer.tables(rates)
  assert "(bfloat16, width 512, 8 heads, source 127, target 128, batch" in text
  assert ["mixerlab", "250.0", "1.00×", "50%"] in map(
    str.split, text.split("\n")
  )
  assert ("sheet (989 TFLOP/s) mixerlab's utilisation is 50%" in text) == (
    kind == "NVIDIA H200"
  )
  assert data["product"] == {"bfloat16": [900.0, 900.0, 450.0]}


def test_without_torch(rates, monkeypatch):
  monkeypatch.setattr(bench_transformer, "has_torch", lambda **on: False)
  text, data = bench_transformer.tables(rates)
  rows = [line.split() for line in text.splitlines()]
  assert ["torch.nn.Transformer", "-", "-", "-"] in rows
  assert "transformer-torch" not in data


def test_the_command_prints_and_keeps(rates, monkeypatch, tmp_path, capsys):
  monkeypatch.setattr(interleave, "rates", rates)
  file = tmp_path / "rounds.json"
  assert bench.main(["transformer", "--json", str(file)]) == 0
  assert capsys.readouterr().out == bench_transformer.tables(rates)[0]
  kept = json.loads(file.read_text())
  assert kept["transformer-ours"] == {"small": [4.0, 4.0, 2.0]}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_steps_are_one_program(monkeypatch, precision):
  tiny = transformer.Size(1, 4, 2, 3, 5, 4, precision)
  monkeypatch.setitem(transformer.SIZES, "tiny", tiny)
  monkeypatch.setattr(transformer, "CHUNK", 2)
  steps = transformer.prepare("ours", "tiny")
  with jax.no_tracing():
    assert steps(5) == 4  # whole chunks


def test_the_work_of_a_step():
  """Forward and backward take three products each; two sides, one layer."""
  one = transformer.Size(1, 4, 1, 3, 5, 2)
  two = dataclasses.replace(one, layers=2)
  found = transformer.flops_per_step(two) - transformer.flops_per_step(one)
  width, source, target = 4, 2, 3
  half = 4 * width**2 + 8 * width**2  # an attention; a feed-forward
  dense = half * source + (half + 2 * width**2) * target
  dense += 2 * width**2 * source  # keys and values of the cross-attention
  pairs = source**2 + target**2 + source * target
  assert found == one.batch * 3 * 2 * (dense + 2 * pairs * width)


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
