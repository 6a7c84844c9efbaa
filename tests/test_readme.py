"""What README and CONTRIBUTING show is run as it stands there."""

import pathlib
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest

from experiments.modifications import experiment as modifications
from experiments.positions import experiment as positions
from experiments.recall import experiment
from research.command.additions import add_mixers
from research.places import whole
from research.preparation import prepare

ROOT = pathlib.Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()


def _block(holds: str, page: str = README) -> str:
  """The first Python block that holds these words."""
  for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
    if holds in block:
      return block
  raise AssertionError(f"no block holds {holds!r}")


def test_a_mixer_in_own_code():
  names: dict = {}
  exec(_block("model.start(batch=2"), names)
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
      {"my_mixer": "class SegmentMean"},
      ["--mixer", "my_mixer:SegmentMean", "--only", "segment_mean"],
      "segment_mean",
    ),
    (
      {"my_task": "class Majority"},
      ["--task", "my_task:Majority", "--only", "gru"],
      "gru",
    ),
  ],
)
def test_own_parts_from_the_command_line(tmp_path, files, options, variant):
  for name, start in files.items():
    (tmp_path / f"{name}.py").write_text(_block(start))
  assert f"\n{variant},test,all,accuracy," in _table(tmp_path, options)


def _table(folder: pathlib.Path, options: list[str]) -> str:
  """The `summary.csv` of a smoke run of recall in a folder."""
  done = subprocess.run(
    [sys.executable, "-m", "experiments", "run", "recall", "--scale", "smoke"]
    + options,
    cwd=folder,
    env=_environment(),
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stderr
  return (folder / "results/recall/latest/summary.csv").read_text()


def test_own_parts_of_attention(tmp_path, monkeypatch):
  parts = {
    "my_score": "NegativeDistance",
    "my_normalizer": "Shares",
    "my_mask": "Every",
    "my_position": "LearnedSlope",
    "my_heads": "Centred",
  }
  for file, name in parts.items():
    (tmp_path / f"{file}.py").write_text(_block(f"class {name}", CONTRIBUTING))
  told = re.findall(r'--mixer "(\w+=)\$LAYER([^"]*)"', CONTRIBUTING)
  mixers = [f"{name}research.attention.layer:Attention{f}" for name, f in told]
  names = [name.rstrip("=") for name, _ in told]
  assert len(names) == 1 + len(parts)
  options = [word for mixer in mixers for word in ("--mixer", mixer)]
  # One is trained; that the others can be is found before.
  assert "\nnear,test,all,accuracy," in _table(
    tmp_path, [*options, "--only", "near"]
  )
  monkeypatch.syspath_prepend(tmp_path)
  recall = experiment("smoke")
  for mixer in mixers:
    recall = add_mixers(recall, [mixer])
  assert {*names} <= prepare(recall).keys()


def test_an_own_linear_recurrence(tmp_path, monkeypatch):
  (tmp_path / "my_linear.py").write_text(_block("class HGRN2", CONTRIBUTING))
  (told,) = re.findall(r'--mixer "(my_linear:[^"]*)"', CONTRIBUTING)
  monkeypatch.syspath_prepend(tmp_path)
  recall = add_mixers(experiment("smoke"), [told])
  assert "hgrn2" in prepare(recall.only(("hgrn2",)))


def test_a_hybrid():
  names: dict = {}
  exec(_block("Hybrid((delta, local))"), names)
  kinds = [type(names["model"].mixer.at_depth(i)).__name__ for i in range(3)]
  assert kinds == ["GatedDeltaNet", "Attention", "GatedDeltaNet"]
  (mixers,) = re.findall(r"MIXERS='([^']*)'", README)
  (told,) = re.findall(r'--mixer "(hybrid=[^"]*)"', README)
  recall = add_mixers(experiment("smoke"), [told.replace("$MIXERS", mixers)])
  assert "hybrid" in prepare(recall.only(("hybrid",)))


def test_own_attention(tmp_path, monkeypatch):
  (tmp_path / "my_attention.py").write_text(_block("def soft_cap"))
  told = re.findall(r'--mixer "(\w+)=\$LAYER(\([^"]*)"', README)
  assert [name for name, _ in told] == ["mine", "decay"]
  layer = "research.attention.layer:Attention"
  fields = [told[0][1], told[1][1], "(mask_mod=my_attention:same_document)"]
  monkeypatch.syspath_prepend(tmp_path)
  asked = modifications("smoke")
  for i, field in enumerate(fields):
    asked = add_mixers(asked, [f"own_{i}={layer}{field}"])
  own = ("own_0", "own_1", "own_2")
  assert {*own} == prepare(asked.only(own)).keys()
  far = add_mixers(positions("smoke"), [f"decay={layer}{told[1][1]}"])
  assert "decay" in prepare(far.only(("decay",)))
  page = pathlib.Path(modifications.__code__.co_filename).read_text()
  for line in _block("def soft_cap").splitlines():  # the page shows the same
    assert line.split("  #")[0].replace("= 4", "= HEADS") in page


def test_attention_without_linen():
  names: dict = {}
  exec(_block("slopes[head]"), names)
  for gradient in names["gradients"]:
    assert jnp.isfinite(gradient).all() and gradient.any()
  assert names["local"].shape == (1, 512, 8, 64)


def test_attention_from_parts():
  names: dict = {}
  exec(_block("joint=Talking()"), names)
  x = jnp.ones((1, 4, 32))
  y, variables = names["layer"].init_with_output(jax.random.key(0), x, whole(x))
  assert y.shape == x.shape
  assert variables["params"]["key"]["kernel"].shape == (32, 8)


def test_from_one_sequence_to_another():
  names: dict = {}
  exec(_block("how=Beam(width=4)"), names)
  for way in ("greedy", "sampled", "best"):
    assert names[way].tokens.shape == (8, 12)
  assert (names["best"].scores >= -12 * 6).all()


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
