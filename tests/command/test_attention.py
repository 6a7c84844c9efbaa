import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.attention.layer import Attention
from research.command.attended import attended, layers
from research.command.main import main
from research.comparison import Comparison
from research.convolution.shifted import Shifted
from research.experiment import Change
from research.heads.differential import Differential
from research.masks import Full
from research.places import Places
from research.recurrence.gru import GRU
from research.results import write_json, write_summary
from research.tasks.base import Example, SquaredError, Task, plain_places
from research.training.evaluation import one_by_one
from research.training.member import root
from research.training.plan import plan
from tests.command import tiny
from tests.reported import Page
from tests.test_maps import canvases, decoded

LAYERS, HEADS, LENGTH = 2, 2, 8


def experiment():
  """A run with and without attention; examples of 8 tokens."""
  shifted = Shifted(Attention(heads=2, joint=Differential()))
  chosen = tiny.experiment()
  return dataclasses.replace(
    chosen,
    model=chosen.model.copy(
      parent=None, layers=LAYERS, mixer=Attention(heads=HEADS)
    ),
    variants=(
      Change("attention"),
      Change("shifted", (("model.mixer", shifted),)),
      Change("gru", (("model.mixer", GRU()),)),
    ),
    claims=(),
  )


def keep(folder, chosen):
  """What a run leaves behind; the parameters as they are at the start."""
  (folder / "parameters").mkdir(parents=True)
  write_json(folder / "experiment.json", tiny.document(chosen))
  write_summary(folder, tiny.summary(tiny.row()))
  for name in chosen.names():
    variant = chosen.variant(name)
    ready = plan(variant.task, variant.model, variant.training)
    keys = jax.random.split(jax.random.key(1), 1)
    batch = ready.task.batch(keys)
    seeds = [
      ready.model.init(jax.random.key(seed), batch.inputs, batch.places)
      for seed in range(variant.training.seeds)
    ]
    flat = jax.tree_util.tree_leaves_with_path(
      jax.tree.map(lambda *leaves: np.stack(leaves), *seeds)["params"]
    )
    np.savez(
      folder / "parameters" / f"{name}.npz",
      **{"/".join(part.key for part in path): leaf for path, leaf in flat},
    )
  return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  return keep(tmp_path_factory.mktemp("kept") / "run", experiment())


def compared(folder, chosen=None):
  return Comparison(chosen or experiment(), tiny.summary(), [], folder)


def test_the_page_of_a_run_has_every_map(folder, here, capsys):
  arguments = ["--variant", "attention", "--example", "3", "--seed", "1"]
  assert main(["attention", str(folder), *arguments]) == 0
  path = folder / "figures" / "attention-attention-1-3.html"
  assert capsys.readouterr().out == f"{path}\n"
  page = Page(path.read_text())
  assert page.all("h1") == ["Where attention looks"]
  assert page.all("h2") == ["Example", "Layer 1", "Layer 2"]
  assert len(canvases(page)) == LAYERS * HEADS
  for canvas in canvases(page):
    seen = decoded(canvas)
    assert seen.shape == (LENGTH, LENGTH)
    assert np.allclose(seen.sum(axis=1), 1, atol=1e-5)
    assert not np.triu(seen, 1).any()
  assert "test example 3 of 16, from 0 · seed 1" in page.text


def test_the_name_of_an_experiment_means_its_latest_run(folder, here, capsys):
  kept = here / "results" / "tiny"
  kept.mkdir(parents=True)
  (kept / "latest").symlink_to(folder)
  arguments = ["--variant", "shifted", "--out", "page.html"]
  assert main(["attention", "tiny", *arguments]) == 0
  assert capsys.readouterr().out == "page.html\n"
  assert len(canvases(Page((here / "page.html").read_text()))) == 4


@pytest.mark.parametrize("seed", [0, 1])
def test_examples_and_answers_are_those_of_the_test(folder, seed):
  variant = experiment().variant("attention")
  ready = plan(variant.task, variant.model, variant.training)
  _, variables = compared(folder).model("attention", seed)
  key = root(jnp.uint32(seed), "test")
  count = 5
  tested = jax.jit(
    lambda p: one_by_one(ready, variant.task, p, key, count),
  )(variables["params"])
  for number in range(count):
    elements = attended(compared(folder), "attention", seed, number).elements
    scored = [element.right is not None for element in elements]
    assert scored == list(tested["weight"][number] > 0)
    right = [element.right is True for element in elements]
    assert right == list(tested["score"][number] > 0)
    answers = variant.task.oracle([int(e.label) for e in elements])
    for element, answer in zip(elements, answers, strict=True):
      assert element.target == ("" if answer is None else str(answer))
      assert element.right is None or element.right == (
        element.prediction == element.target
      )


def test_maps_inside_of_other_mixers_are_found(folder):
  seen = attended(compared(folder), "shifted", 0, 0)
  assert [layer.title for layer in seen.layers] == ["Layer 1", "Layer 2"]
  assert seen.layers[0].path == "block_0.mixer.mixer"
  for layer in seen.layers:
    assert layer.weights.shape == (2, LENGTH, LENGTH)
    assert layer.weights.min() < 0  # of the difference of two maps


def test_layers_stand_in_their_order_and_have_names_of_their_own():
  one = np.ones((1, 1, 2, 2))
  blocks = {f"block_{i}": {"mixer": {"weights": (one * i,)}} for i in (10, 2)}
  blocks["block_2"]["second"] = {"weights": (one * 3,), "other": (one,)}
  blocks["block_3"] = {"weights": (np.ones(3),)}
  seen = layers({"intermediates": blocks})
  assert [(layer.title, layer.path) for layer in seen] == [
    ("Layer 3a", "block_2.mixer"),
    ("Layer 3b", "block_2.second"),
    ("Layer 11", "block_10.mixer"),
  ]
  assert [layer.weights.max() for layer in seen] == [2, 3, 10]


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    (["--variant", "gru"],
     "variant = 'gru' has no attention maps; allowed: attention, shifted"),
    (["--variant", "atention"], "variant = 'atention'; did you mean attention"),
    (["--variant", "attention", "--example", "16"],
     "example = 16; allowed: 0 to 15"),
    (["--variant", "attention", "--example", "-1"],
     "example = -1; allowed: 0 to 15"),
    (["--variant", "attention", "--seed", "2"], "seed = 2; allowed: 0 to 1"),
    (["--variant", "attention", "--seed", "many"],
     "argument --seed: invalid int value: 'many'"),
    (["--variant", "attention", "--out", "no/page.html"],
     "--out = 'no/page.html' cannot be written; allowed: a file in a folder"),
    (["--variant", "attention", "--out", "page.svg"],
     "--out = 'page.svg' names no page; allowed: a file that ends in .html"),
    (["--exmple", "1", "--variant", "attention"],
     "--exmple is no option; did you mean --example"),
    ([], "the following arguments are required: --variant"),
  ],
)  # fmt: skip
def test_wrong_input_is_told_in_one_line(
  folder, here, capsys, arguments, message
):
  assert main(["attention", str(folder), *arguments]) == 2
  told = capsys.readouterr()
  assert told.err.startswith(f"mixerlab: error: {message}")
  assert told.err.count("\n") == 1
  assert told.out == ""


def test_what_is_no_run_is_refused(folder, here, capsys):
  asked = ["--variant", "attention"]
  assert main(["attention", "nowhere", *asked]) == 2
  assert "RUN_DIR = 'nowhere' holds no run; `mix" in capsys.readouterr().err
  (here / "results" / "tiny").mkdir(parents=True)
  (here / "results" / "tiny" / "latest").symlink_to(folder)
  assert main(["attention", "tini", *asked]) == 2
  assert "did you mean tiny?" in capsys.readouterr().err


@dataclasses.dataclass(frozen=True)
class Halves(Task):
  """Vectors in two segments and padding; the regression target is a half."""

  vocabulary: int = 0
  classes: int = 2
  length: int = 6
  objective = SquaredError()

  def sample(self, key):
    inputs = jax.random.normal(key, (6, 2))
    return Example(
      inputs=inputs,
      places=Places(
        jnp.array([0, 1, 2, 0, 1, 0]), jnp.array([1, 1, 1, 2, 2, 0])
      ),
      targets=inputs[jnp.array([4, 1])] / 2,
      weights=jnp.array([1.0, 0.0]),
      at=jnp.array([4, 1]),
      slices={},
    )


@dataclasses.dataclass(frozen=True)
class First(Task):
  """The label of the whole sequence is its first token."""

  vocabulary: int = 3
  classes: int = 3
  length: int = 4
  per_sequence: bool = True

  def sample(self, key):
    tokens = jax.random.randint(key, (4,), 0, 3)
    return Example(tokens, plain_places(4), tokens[:1], jnp.ones(1), None, {})


def alone(tmp_path, task, **model):
  """The experiment with one variant and another task."""
  chosen = experiment()
  mixer = Attention(mask=Full())
  model = chosen.model.copy(parent=None, mixer=mixer, layers=1, **model)
  chosen = dataclasses.replace(
    chosen, task=task, model=model, variants=(Change("both"),), tests=()
  )
  return compared(keep(tmp_path / "run", chosen), chosen)


def test_vectors_segments_and_padding(tmp_path):
  seen = attended(alone(tmp_path, Halves()), "both", 0, 2)
  assert [element.label for element in seen.elements] == list("012345")
  assert [element.hint for element in seen.elements] == [
    "position 0, segment 1", "position 1, segment 1", "position 2, segment 1",
    "position 0, segment 2", "position 1, segment 2", "",
  ]  # fmt: skip
  assert [e.padding for e in seen.elements] == [False] * 5 + [True]
  scored = [bool(element.prediction) for element in seen.elements]
  assert scored == [False] * 4 + [True, False]
  assert len(seen.elements[4].target.split()) == 2
  assert seen.elements[4].right is None
  assert seen.notes == ("Scored: 1 position.",)
  (weights,) = seen.layers[0].weights
  blocks = np.zeros((6, 6))
  blocks[:3, :3] = blocks[3:5, 3:5] = 1
  assert ((weights > 0) == blocks).all()


def test_a_label_of_the_whole_sequence(tmp_path):
  seen = attended(alone(tmp_path, First(), pooling="mean"), "both", 0, 0)
  (note,) = seen.notes
  first = seen.elements[0].label
  assert note.startswith(f"The label of the whole sequence is {first}; ")
  predicted = note.partition("predicted: ")[2]
  assert predicted == (f"{first} ✓." if predicted[0] == first else
                       f"{predicted[0]} ✗.")  # fmt: skip
  assert not any(element.prediction for element in seen.elements)
