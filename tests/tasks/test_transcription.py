"""Transcription: its laws, its true alignment, and what was heard."""

import dataclasses
import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.record import from_json, to_json
from research.sound.phrases import CHINESE, LATIN, phrases
from research.sound.tones import frequencies
from research.tasks.base import Example
from research.tasks.transcription import RATE, Transcription
from research.tasks.transduction import BEGIN, END, SYMBOLS
from tests.tolerance import assert_close

TASK = Transcription()
SLOW = Transcription(
  duration=0.12, speed=0.0, spread=0.1, gap=0.0, overlap=0.0, snr=40.0
)
COUNT = 300
KEYS = jax.random.split(jax.random.key(1), COUNT)


@functools.cache
def batch_of(task: Transcription) -> Example:
  return jax.tree.map(np.asarray, jax.jit(task.batch)(KEYS))


def texts(task: Transcription) -> list[str]:
  return [task.text(row.tolist()) for row in batch_of(task).targets]


def assert_alike(example: Example, row: int) -> None:
  """Equal to a row of the batch; spectra up to rounding."""
  wanted = jax.tree.map(lambda leaf: leaf[row], batch_of(TASK))
  for one, many in zip(
    jax.tree.leaves(example), jax.tree.leaves(wanted), strict=True
  ):
    assert one.dtype == many.dtype
    if jnp.issubdtype(one.dtype, jnp.floating):
      assert_close(one, many, level="model")
    else:
      np.testing.assert_array_equal(one, many)


def test_an_example_depends_on_its_key_alone():
  alone = jax.jit(TASK.sample)
  for row in (0, 1, COUNT - 1):
    assert_alike(alone(KEYS[row]), row)
  assert_alike(TASK.sample(KEYS[0]), 0)
  assert len({row.tobytes() for row in batch_of(TASK).source[0]}) == COUNT


def test_shuffled_phrases_have_their_characters_in_another_order():
  task = dataclasses.replace(TASK, order="shuffled")
  there = list(zip(texts(TASK), texts(task), strict=True))
  assert all(sorted(one) == sorted(other) for one, other in there)
  assert sum(one != other for one, other in there) > 0.9 * COUNT


def test_shapes_and_dtypes():
  batch = batch_of(TASK)
  spectra, places = batch.source
  assert (TASK.length, TASK.source_length, TASK.classes) == (21, 122, 79)
  assert spectra.shape == (COUNT, 122, 16) and spectra.dtype == np.float32
  assert places.segments.shape == (COUNT, 122)
  for leaf in (batch.inputs, batch.targets, batch.places.segments):
    assert leaf.shape == (COUNT, 21) and leaf.dtype == np.int32
  assert batch.alignment.shape == (COUNT, 21, 2)
  assert batch.alignment.dtype == np.int32
  for name in ("script", "size"):
    assert batch.slices[name].shape == (COUNT, 21)
    assert batch.slices[name].dtype == np.int32


def test_targets_are_phrases_and_inputs_one_behind():
  batch, spoken = batch_of(TASK), texts(TASK)
  assert set(spoken) <= {*phrases("all", LATIN), *phrases("all", CHINESE)}
  assert len(set(spoken)) > COUNT / 2
  for row, text in enumerate(spoken):
    size = len(text)
    assert batch.targets[row, size] == END
    assert batch.inputs[row, 0] == BEGIN
    np.testing.assert_array_equal(
      batch.inputs[row, 1 : size + 1], batch.targets[row, :size]
    )
    np.testing.assert_array_equal(
      batch.weights[row], np.arange(TASK.length) <= size
    )
    assert (batch.slices["size"][row] == size).all()
    assert (batch.slices["script"][row] == (text[-1] > "z")).all()


def test_spectra_are_normalised_and_zero_on_padding():
  spectra, places = batch_of(TASK).source
  for row in range(COUNT):
    valid = places.segments[row] > 0
    heard = spectra[row][valid].astype(np.float64)
    assert abs(heard.mean()) < 1e-5 and abs(heard.std() - 1) < 1e-4
    assert not spectra[row][~valid].any()
  assert not places.segments[:, -1].all()


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_phrases_of_a_part_are_its_own(part):
  chosen = TASK.split(part)
  assert chosen == Transcription(part=part) == chosen.split(part)
  own = {*phrases(part, LATIN), *phrases(part, CHINESE)}
  spoken = texts(chosen)
  assert set(spoken) <= own
  if part != "train":
    assert len(set(spoken)) > len(own) / 2
  assert (chosen.length, chosen.source_length) == (21, 122)
  assert TASK.chance == pytest.approx(1600 / 14067, abs=1e-4)
  assert 0.1 < chosen.chance < 0.13


def test_a_part_has_no_other_split():
  with pytest.raises(ValueError, match="part = 'test' has no split 'train'"):
    TASK.split("test").split("train")


def test_the_best_constant_scores_chance():
  batch = batch_of(TASK)
  targets = batch.targets[batch.weights > 0]
  counts = np.bincount(targets)
  error = np.sqrt(TASK.chance / len(targets))
  assert counts.max() / counts.sum() == pytest.approx(
    TASK.chance, abs=5 * error
  )


def test_the_alignment_is_in_order_and_covers_the_phrase():
  batch = batch_of(TASK)
  for row, text in enumerate(texts(TASK)):
    size, spans = len(text), batch.alignment[row]
    valid = int((batch.source[1].segments[row] > 0).sum())
    assert 0 <= spans[0, 0] <= 2 and spans[size, 1] == valid
    assert spans[size, 1] - spans[size, 0] == 2
    assert (spans[: size + 1, 0] < spans[: size + 1, 1]).all()
    assert (spans[1 : size + 1, 0] >= spans[:size, 1]).all()
    assert not spans[size + 1 :].any()


def test_the_sound_is_where_the_alignment_says():
  """In the middle of a character its second tone is the loudest of all.

  Of the waveform, by the products with all tones over 15 ms in float64.
  """
  spoken = batch_of(SLOW)
  sounds = np.asarray(jax.jit(jax.vmap(SLOW.sound))(KEYS[:20]), np.float64)
  codes: dict[int, set[int]] = {}
  for row, sound in enumerate(sounds):
    for token, (first, last) in zip(
      spoken.targets[row], spoken.alignment[row], strict=True
    ):
      if token > SYMBOLS:  # neither END nor the space, which is silent
        middle = round(20 * (first + last - 1) + 50)
        n = np.arange(middle - 30, middle + 30)
        waves = np.exp(2j * np.pi * np.outer(frequencies(RATE), n) / RATE)
        loudest = int(np.abs(waves @ sound[n]).argmax())
        codes.setdefault(int(token), set()).add(loudest)
  assert len(codes) > 40
  assert all(len(heard) == 1 for heard in codes.values())
  assert set.union(*codes.values()) == set(range(6))


def test_the_oracle_writes_what_was_spoken():
  """Slowly and with little noise, from the spectra and the alignment."""
  batch = batch_of(SLOW)
  for row, text in enumerate(texts(SLOW)):
    spans = batch.alignment[row, : len(text)]
    heard = [batch.source[0][row, a:b].tolist() for a, b in spans]
    assert SLOW.text(SLOW.oracle(heard)) == text


def test_noise_speed_and_gaps_are_what_the_fields_say():
  loud = dataclasses.replace(SLOW, snr=100.0)
  noisy = dataclasses.replace(SLOW, snr=-10.0)

  def both(key: jax.Array) -> tuple[jax.Array, ...]:
    return loud.sound(key), noisy.sound(key)

  quiet, noise = map(np.asarray, jax.jit(jax.vmap(both))(KEYS[:20]))
  assert np.abs(quiet).max() <= 1.001
  # A tone of amplitude 1 has the power 1/2, and the noise 10 dB more.
  assert np.square(noise - quiet).mean() == pytest.approx(5.0, rel=0.02)

  def windows(task: Transcription) -> np.ndarray:
    batch = batch_of(task)
    rows = np.arange(COUNT), np.array([len(text) for text in texts(task)])
    return (batch.alignment[rows][:, 0] - batch.alignment[:, 0, 0]) / rows[1]

  assert windows(SLOW) == pytest.approx(12.0, abs=0.5)
  found = windows(TASK)
  assert 3.7 < found.min() < 4.6 and 5.2 < found.max() < 6.2
  spans = batch_of(TASK).alignment[:, :3]
  gaps = spans[:, 1:, 0] - spans[:, :-1, 1]
  assert gaps.min() == 0 and 1 <= gaps.max() <= 2


def test_text():
  test = TASK.split("test")
  found = {"machine learning", "机器学习"} & {*texts(test)}
  assert found
  for text in found:
    tokens = batch_of(test).targets[texts(test).index(text)].tolist()
    assert test.text(tokens) == text
    assert test.text([BEGIN, *tokens[:2], END]) == text[:2]


def test_a_record_is_its_fields():
  task = dataclasses.replace(SLOW, part="test")
  assert from_json(json.loads(json.dumps(to_json(task)))) == task
  assert (task.vocabulary, task.reads_source) == (0, True)


@pytest.mark.parametrize(
  "name, value",
  [
    ("bands", 1),
    ("bands", 41),
    ("snr", float("nan")),
    ("snr", 101.0),
    ("duration", 0.0),
    ("duration", 2.0),
    ("duration", 0.03),
    ("duration", float("nan")),
    ("speed", 1.0),
    ("speed", -0.1),
    ("spread", 1.0),
    ("gap", -0.1),
    ("overlap", -0.001),
    ("part", "tests"),
  ],
)
def test_bad_fields_are_refused_by_name(name, value, unchecked):
  with pytest.raises(ValueError, match=rf"^{name} = .*; allowed: .+"):
    dataclasses.replace(TASK, **{name: value})


def test_tones_shorter_than_their_overlap_are_refused():
  with pytest.raises(ValueError, match="overlap = 0.02 s, or more"):
    dataclasses.replace(TASK, overlap=0.02)
