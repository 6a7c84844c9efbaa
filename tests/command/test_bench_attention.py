"""`bench attention`: what the tables say; timing itself is no test."""

import jax
import pytest

from research.bench import attention
from research.command import bench_attention


@pytest.fixture
def rounds(monkeypatch):
  """Two rounds; the second one has half of the speed, for all alike."""
  monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
  monkeypatch.setattr(bench_attention, "has_torch", lambda **on: True)
  monkeypatch.setattr(bench_attention, "has_cudnn", lambda: False)
  monkeypatch.setattr(
    attention, "temporary_bytes", lambda form, length: length * 2**20
  )
  speed = {"blocks": 8.0, "torch": 4.0, "library": 2.0}

  def rates(contenders):
    return {
      (name, length): [one := _speed(speed, name, length), one / 2]
      for name, length in contenders
    }

  return rates


def _speed(speed, name, length):
  kind = name.removeprefix("attention-")
  if kind == "window":  # its time grows a half faster than the length
    return 100.0 / (int(length) / 2048) / (1.5 if length == "8192" else 1.0)
  return 1000.0 if kind == "decode" else speed.get(kind, 1.0)


def test_the_tables(rounds):
  text, data = bench_attention.tables(rounds)
  lines = text.splitlines()
  blocks = [line.split() for line in lines if line.startswith("  blocks  ")]
  # The medians of 8 and 4 calls a second; twice PyTorch, four times jax.nn.
  assert blocks == [["blocks", "166.7", "2.00×", "4.00×", "1.00×"]] * 3
  assert "16384 MiB at 16,384; exponent 1.00" in text
  assert "at 4,096 (1.00 of the line)" in text
  assert "at 8,192 (1.50 of the line)" in text
  assert "1333 µs at 512 (1.6 GB/s)" in text
  assert data["attention-torch"]["1024"] == [4.0, 2.0]


def test_without_a_peer(rounds, monkeypatch):
  monkeypatch.setattr(bench_attention, "has_torch", lambda **on: False)
  text, _ = bench_attention.tables(rounds)
  assert "PyTorch" not in text and "× jax.nn" in text


def test_on_a_gpu(rounds, monkeypatch):
  """Longer, in half precision, beside cuDNN; without what has no room."""
  monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
  monkeypatch.setattr(bench_attention, "has_cudnn", lambda: True)
  text, data = bench_attention.tables(rounds)
  lines = [line.split() for line in text.splitlines()]
  assert "(bfloat16, batch 1" in text and "× cuDNN" in text
  blocks = [line for line in lines if line[:1] == ["blocks"]]
  short = ["blocks", "166.7", "2.00×", "8.00×", "4.00×", "1.00×"]
  long = ["blocks", "166.7", "2.00×", "8.00×", "-", "1.00×"]
  assert blocks == [short, short, long, long]
  assert [*data["attention-library"]] == [*data["attention-dense"]]
  assert [*data["attention-library"]] == ["1024", "4096"]
  assert [*data["attention-cudnn"]] == ["1024", "4096", "16384", "65536"]
  # Two numbers of 512, of two bytes each.
  assert "1333 µs at 1,024 (1.6 GB/s)" in text


def test_without_a_gpu_there_is_no_cudnn(rounds):
  text, data = bench_attention.tables(rounds)
  assert "cuDNN" not in text and "attention-cudnn" not in data


@pytest.mark.parametrize("form", ["segments", "decode"])
def test_ours_can_be_called(form):
  assert attention.prepare(form, 64)(2) == 2


def test_all_tokens_are_one_program():
  tokens = attention.prepare("decode", 16)
  with jax.no_tracing():
    assert tokens(8) == 8
