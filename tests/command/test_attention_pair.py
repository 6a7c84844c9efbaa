"""The maps of an encoder–decoder, and of blocks that were scanned."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.attention.layer import Attention
from research.command import attended_pair as pair
from research.command.attended import attended, layers
from research.command.main import main
from research.comparison import Comparison
from research.experiment import Change
from research.masks import Full
from research.models.encoder_decoder import Decoder, Encoder, EncoderDecoder
from research.models.feed_forward import NoFeedForward
from research.models.front import Subsampling
from research.report.maps import Layer
from research.results import write_json, write_summary
from research.sound.phrases import CHARACTERS
from research.tasks.base import Example
from research.tasks.reverse import Reverse
from research.tasks.transcription import Transcription
from research.tasks.transduction import END, SYMBOLS
from research.training.alignment import cross_weights
from research.training.member import root
from research.training.step import example_keys
from research.training.written import Written
from tests.command import tiny
from tests.command.test_attention import keep
from tests.reported import Page
from tests.test_maps import canvases

TITLES = [
  "Encoder layer 1", "Encoder layer 2", "Decoder layer 1",
  "Cross-attention, layer 1", "Decoder layer 2", "Cross-attention, layer 2",
]  # fmt: skip


def kept(folder, task, **fields):
  """A run whose parameters are as they are at the start."""
  none = NoFeedForward()
  reader = Attention(heads=2, mask=Full())
  model = EncoderDecoder(
    encoder=Encoder(mixer=reader, feed_forward=none, layers=2),
    decoder=Decoder(
      mixer=Attention(heads=2), cross=reader, feed_forward=none, layers=2
    ),
    width=8,
  ).copy(parent=None, **fields)
  chosen = dataclasses.replace(
    tiny.experiment(),
    task=task,
    model=model,
    variants=(Change("pair"),),
    tests=(),
    claims=(),
  )
  (folder / "parameters").mkdir(parents=True)
  write_json(folder / "experiment.json", tiny.document(chosen))
  write_summary(folder, tiny.summary(tiny.row("pair")))
  fitted = model.copy(
    parent=None, vocabulary=task.vocabulary, classes=task.classes
  )
  given = jax.eval_shape(task.batch, jax.random.split(jax.random.key(0), 1))
  given = jax.tree.map(
    lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), given.given()
  )
  made = jax.jit(lambda: fitted.init(jax.random.key(1), **given))()
  flat = jax.tree_util.tree_leaves_with_path(made["params"])
  np.savez(
    folder / "parameters" / "pair.npz",
    **{
      "/".join(part.key for part in path): np.stack([leaf] * 2)
      for path, leaf in flat
    },
  )
  return Comparison(chosen, tiny.summary(), [], folder)


def example(task, number) -> Example:
  key = root(jnp.uint32(0), "test")
  return task.split("test").batch(example_keys(key, jnp.asarray([number])))


@pytest.fixture(scope="module")
def reversing(tmp_path_factory):
  task = Reverse(symbols=3, shortest=2, longest=5)
  return kept(tmp_path_factory.mktemp("kept") / "run", task)


@pytest.fixture(scope="module")
def hearing(tmp_path_factory):
  return kept(
    tmp_path_factory.mktemp("kept") / "run",
    Transcription(bands=8),
    front=Subsampling(layers=1),
    # The scanned form of the decoder, while the encoder's is plain.
    decoder=Decoder(
      mixer=Attention(heads=1),
      feed_forward=NoFeedForward(),
      layers=2,
      depth="scanned",
    ),
  )


def words(elements):
  return [element.label for element in elements if not element.padding]


def test_every_layer_says_which_elements_it_looks_from_and_at(reversing):
  seen = attended(reversing, "pair", 0, 0)
  assert [layer.title for layer in seen.layers] == TITLES
  assert [(layer.queries, layer.keys) for layer in seen.layers] == [
    *[("source", "source")] * 2,
    *[("target", "read"), ("target", "source")] * 2,
  ]
  for layer in seen.layers:
    shape = len(seen.side(layer.queries)), len(seen.side(layer.keys))
    assert layer.weights.shape == (2, *shape)
  assert not any(layer.spans for layer in seen.layers)
  assert "encoder layers 2, decoder layers 2, heads 2" in seen.facts


def test_tokens_are_those_of_the_example(reversing):
  task = reversing.experiment.task
  for number in range(3):
    batch, seen = example(task, number), attended(reversing, "pair", 0, number)
    size = int(batch.places.segments.sum())
    source = np.asarray(batch.source[0][0, : size - 1])
    target = [str(SYMBOLS + token) for token in source[::-1]]
    assert words(seen.source) == [str(token) for token in source]
    assert words(seen.elements) == [*target, "END"]
    assert words(seen.read) == ["BEGIN", *target]
    shown = min(size + 1, task.length)
    assert [e.padding for e in seen.elements] == (
      [False] * size + [True] * (shown - size)
    )
    assert len(seen.source) == min(size, task.source_length)
    assert any("padding" in note for note in seen.notes) == (
      task.length - size > 1
    )
    for element in seen.elements[:size]:
      assert element.right == (element.prediction == element.target)


def test_what_the_model_writes_is_told(reversing):
  seen = attended(reversing, "pair", 0, 0)
  task, batch = reversing.experiment.task, example(reversing.experiment.task, 0)
  wanted = [int(x) for x in batch.targets[0] if x != 0]
  assert wanted[-1] == END
  assert f"The target is “{task.text(wanted[:-1])}”." in seen.notes[0]
  # As the definition says: the most likely token, until END.
  model, variables = reversing.model("pair", 0)
  written = []
  memory = model.apply(variables, *batch.source, method="encode")
  places = batch.places.__class__(
    jnp.arange(task.length)[None], jnp.ones((1, task.length), int)
  )
  tokens = np.zeros((1, task.length), int)
  for i in range(task.length):
    outputs = model.apply(
      variables, jnp.asarray(tokens), places, memory, method="decode"
    )
    token = int(outputs[0, i].argmax())
    if token == END:
      break
    written.append("BEGIN" if token == 0 else str(token))
    if i + 1 < task.length:
      tokens[0, i + 1] = token
  assert f"the model writes “{' '.join(written)}”: " in seen.notes[0]


@pytest.mark.parametrize(
  ("text", "shown"), [("to be", "to be"), (" to  be", "␣to␣␣be"), ("  ", "␣␣")]
)
def test_spaces_that_a_page_leaves_out_are_signs(
  hearing, monkeypatch, text, shown
):
  tokens = np.array([[SYMBOLS + CHARACTERS.index(x) for x in text]])
  made = Written(tokens, np.array([len(text)]), np.array([5]), np.array([2]))
  monkeypatch.setattr(pair, "write", lambda *_: made)
  task = hearing.experiment.task
  model, variables = hearing.model("pair", 0)
  batch = example(task, 1)
  (note,) = pair.written_note(task, model, variables, batch)
  assert f"the model writes “{shown}”: 2 edits." in note


def test_vectors_are_named_by_the_true_alignment(hearing):
  task, batch = hearing.experiment.task, example(hearing.experiment.task, 1)
  seen = attended(hearing, "pair", 0, 1)
  assert [layer.title for layer in seen.layers] == TITLES
  ranges = np.asarray(batch.alignment[0])
  text = words(seen.elements)
  assert text[:-1] == list(
    task.text(np.asarray(batch.targets[0]).tolist()).replace(" ", "␣")
  )
  crossings = [layer for layer in seen.layers if layer.keys == "source"][2:]
  model, variables = hearing.model("pair", 0)
  variables = jax.tree.map(jnp.asarray, variables)
  weights, where = map(np.asarray, cross_weights(model, variables, batch))
  for i, element in enumerate(seen.source):
    assert element.padding or element.hint == f"position {2 * i}"
  for number, layer in enumerate(crossings):
    assert layer.path == f"decoder.block_{number}.cross"
    expected = weights[0, :, number].transpose(1, 0, 2)
    shown = expected[:, : len(seen.elements), : len(seen.source)]
    np.testing.assert_allclose(layer.weights, shown, atol=1e-6)
    shares = []
    for row, (first, end) in enumerate(layer.spans):
      inside = [
        i
        for i, position in enumerate(where[0])
        if ranges[row, 0] <= position < ranges[row, 1]
      ]
      assert list(range(first, end)) == inside
      if inside:
        label = seen.elements[row].label
        assert {seen.source[i].label for i in inside} == {label}
        shares.append(expected[0, row, inside].sum())
    told = f"{100 * np.mean(shares):.0f} % of the weights on the true alignment"
    assert layer.note == told
  assert {"·"} >= {e.label for e in seen.source} - {"", *text}


def test_the_page_and_the_figure(hearing, here, capsys):
  arguments = ["--variant", "pair", "--out", "page.html", "--figure"]
  assert main(["attention", str(hearing.folder), *arguments]) == 0
  assert capsys.readouterr().out == "page.html\npage.svg\n"
  assert {path.name for path in here.glob("page.*")} == {
    "page.html", "page.svg", "page.pdf", "page.png",
  }  # fmt: skip
  page = Page((here / "page.html").read_text())
  assert page.all("h2") == ["Example", *TITLES]
  assert page.all("h3") == ["Target", "Source, as the decoder reads it"]
  assert "true alignment" in page.all("span")
  outlined = [canvas["data-spans"] != "[]" for canvas in canvases(page)]
  assert outlined == [False] * 4 + [False, True] * 2


def test_a_figure_needs_cross_attention(reversing, tmp_path, capsys, here):
  chosen = dataclasses.replace(
    tiny.experiment(), variants=(Change("attention"),), claims=(), tests=()
  )
  folder = tmp_path / "alone"
  keep(folder, chosen)
  arguments = ["--variant", "attention", "--figure"]
  assert main(["attention", str(folder), *arguments]) == 2
  assert (
    "--figure with variant = 'attention', which has no cross-attention; "
    "allowed: a variant of EncoderDecoder" in capsys.readouterr().err
  )
  assert not (folder / "figures").exists()


def test_the_crossing_nearest_to_the_alignment_is_drawn():
  def layer(path, weight, spans=((0, 1), (0, 0))):
    weights = np.array([[[weight, 1 - weight], [1, 0]]])
    return Layer(path, path, weights, "target", "source", spans)

  own = layer("own", 1.0)
  own = dataclasses.replace(own, keys="read")
  three = [layer("a", 0.2), own, layer("b", 0.7), layer("c", 0.5)]
  assert pair.best_crossing(three).path == "b"
  assert pair.share(three[0]) == 0.2
  unknown = [layer("a", 0.2, ()), layer("b", 0.1, ())]
  assert pair.best_crossing(unknown).path == "b"
  assert pair.best_crossing([own]) is None


def test_blocks_that_were_scanned_are_taken_apart():
  stacked = np.arange(3)[:, None, None, None, None] * np.ones((3, 1, 1, 2, 2))
  tree = {
    "block_3": {"mixer": {"weights": (3 * np.ones((1, 1, 2, 2)),)}},
    "blocks": {"mixer": {"weights": (stacked,)}},
  }
  seen = layers({"intermediates": tree})
  assert [layer.title for layer in seen] == [f"Layer {i}" for i in range(1, 5)]
  assert [layer.weights.max() for layer in seen] == [0, 1, 2, 3]
  assert seen[1].path == "block_1.mixer"
