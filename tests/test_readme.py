"""What the README shows is run as it stands there."""

import pathlib
import re
import subprocess
import sys

import jax.numpy as jnp
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


def _block(start: str) -> str:
  """The Python block that begins with these words."""
  for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
    if block.startswith(start):
      return block
  raise AssertionError(f"no block begins with {start!r}")


def test_a_mixer_in_own_code():
  names: dict = {}
  exec(_block("import jax\nimport jax.numpy as jnp\nfrom research.att"), names)
  assert names["logits"].shape == (2, 1, 256)
  assert names["token"].shape == (2, 1)
  assert jnp.all(jnp.isfinite(names["logits"]))
  # The stream holds what was generated: appending one more has no room.
  used = names["cache"]["block_0"]["mixer"]["used"]
  assert used.tolist() == [10, 10]


@pytest.mark.parametrize(
  ("files", "options", "variant"),
  [
    (
      {"my_mixer": "import flax"},
      ["--mixer", "my_mixer:SegmentMean", "--only", "segment_mean"],
      "segment_mean",
    ),
    (
      {"my_task": "import dataclasses"},
      ["--task", "my_task:Majority", "--only", "gru"],
      "gru",
    ),
  ],
)
def test_own_parts_from_the_command_line(tmp_path, files, options, variant):
  for name, start in files.items():
    (tmp_path / f"{name}.py").write_text(_block(start))
  command = [sys.executable, "-m", "experiments", "run", "recall"]
  done = subprocess.run(
    [*command, "--scale", "smoke", *options],
    cwd=tmp_path,
    env=_environment(),
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stderr
  table = (tmp_path / "results/recall/latest/summary.csv").read_text()
  assert f"\n{variant},test,all,accuracy," in table


def test_from_python(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  names: dict = {}
  block = _block("from experiments.recall")
  # Two of the eight variants show the same in a quarter of the time.
  few = 'experiment("smoke").only(("attention", "window"))'
  exec(block.replace('experiment("smoke")', few), names)
  assert 0 <= names["row"].mean <= 1
  assert "params" in names["variables"]


def _environment() -> dict[str, str]:
  import os

  return {**os.environ, "PYTHONPATH": str(ROOT)}
