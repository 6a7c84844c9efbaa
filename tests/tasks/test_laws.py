"""What every task keeps to, whatever its axes."""

import dataclasses
import functools
import json
import math
import types
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.record import from_json, to_json
from research.tasks.base import CrossEntropy, Example
from research.tasks.transduction import BEGIN, END
from tests.tasks.cases import CASES

SAMPLES = 1000
KEYS = jax.random.split(jax.random.key(1), SAMPLES)

every_task = pytest.mark.parametrize("name", CASES)
every_transduction = pytest.mark.parametrize(
  "name", [name for name, case in CASES.items() if case.task.reads_source]
)


@functools.cache
def program(name: str) -> Callable[[jax.Array], Example]:
  """Makes 1,000 examples."""
  return jax.jit(CASES[name].task.batch)


@functools.cache
def batch_of(name: str) -> Example:
  """1,000 examples, from the keys of `KEYS`."""
  return program(name)(KEYS)


@functools.cache
def examples(name: str) -> types.SimpleNamespace:
  """The same in NumPy, `at` filled in: 0 for one target a sequence."""
  batch = batch_of(name)
  weights = np.asarray(batch.weights)
  order = np.arange(weights.shape[1])[None, :]
  return types.SimpleNamespace(
    inputs=np.asarray(batch.inputs),
    positions=np.asarray(batch.places.positions),
    segments=np.asarray(batch.places.segments),
    targets=np.asarray(batch.targets),
    weights=weights,
    at=np.broadcast_to(order if batch.at is None else batch.at, weights.shape),
    slices={key: np.asarray(value) for key, value in batch.slices.items()},
    source=jax.tree.map(np.asarray, batch.source),
  )


def answers(name: str, row: int) -> list:
  """What the oracle says at each place, of what the model is given."""
  task, batch = CASES[name].task, examples(name)
  if not task.reads_source:
    return task.oracle(batch.inputs[row].tolist())
  source, places = batch.source
  written = task.oracle(source[row, places.segments[row] > 0].tolist())
  return [*written, END, *[None] * (task.length - len(written) - 1)]


def assert_row(example: Example, name: str, row: int) -> None:
  batch = batch_of(name)
  assert jax.tree.structure(example) == jax.tree.structure(batch)
  for one, many in zip(
    jax.tree.leaves(example), jax.tree.leaves(batch), strict=True
  ):
    np.testing.assert_array_equal(one, many[row])


@pytest.mark.parametrize("name", [n for n in CASES if CASES[n].told])
def test_targets_are_the_oracles(name):
  task, batch = CASES[name].task, examples(name)
  compared = 0
  for row in range(SAMPLES):
    told = answers(name, row)
    assert len(told) == (1 if task.per_sequence else task.length)
    for index in np.flatnonzero(batch.weights[row]):
      wanted = told[batch.at[row, index]]
      assert batch.targets[row, index].tolist() == wanted
      compared += 1
  assert compared == np.count_nonzero(batch.weights) >= SAMPLES


@every_transduction
def test_a_decoder_is_given_begin_and_what_it_is_asked_for(name):
  """Teacher forcing: one place behind, with END as the last answer alone."""
  batch = examples(name)
  sizes = batch.weights.sum(axis=1).astype(int)
  for row, size in enumerate(sizes):
    assert batch.targets[row, size - 1] == END
    wanted = [BEGIN, *batch.targets[row, : size - 1]]
    assert batch.inputs[row, :size].tolist() == wanted
    assert not {BEGIN, END} & {*wanted[1:]}
  index = np.arange(batch.weights.shape[1])[None, :]
  inside = index < sizes[:, None]
  np.testing.assert_array_equal(batch.weights, inside)
  np.testing.assert_array_equal(batch.segments, inside)
  np.testing.assert_array_equal(batch.positions, np.where(inside, index, 0))


@every_transduction
def test_a_source_is_one_sequence_of_tokens(name):
  task, (source, places) = CASES[name].task, examples(name).source
  assert source.shape == (SAMPLES, task.source_length)
  assert source.min() >= 0 and source.max() < task.vocabulary
  counts = (places.segments > 0).sum(axis=1, keepdims=True)
  assert counts.min() > 0 and counts.max() <= task.source_length
  index = np.arange(task.source_length)[None, :]
  inside = index < counts
  np.testing.assert_array_equal(places.segments, inside)
  np.testing.assert_array_equal(places.positions, np.where(inside, index, 0))
  assert not source[~inside].any()
  for leaf in (source, places.segments, places.positions):
    assert leaf.dtype == np.int32


@every_task
def test_an_example_depends_on_its_key_alone(name):
  """Alone, and elsewhere in a batch among others."""
  alone = jax.jit(CASES[name].task.sample)
  for row in (0, 1, SAMPLES - 1):
    assert_row(alone(KEYS[row]), name, row)
  others = jax.random.split(jax.random.key(2), SAMPLES)
  moved = {0: 5, 1: SAMPLES - 1, SAMPLES - 1: 0}
  rows, places = map(jnp.array, (list(moved), list(moved.values())))
  batch = program(name)(others.at[places].set(KEYS[rows]))
  for row, place in moved.items():
    assert_row(jax.tree.map(lambda leaf, i=place: leaf[i], batch), name, row)
  assert len({row.tobytes() for row in examples(name).inputs}) > 1


@every_task
def test_without_jit_an_example_is_the_same(name):
  assert_row(CASES[name].task.sample(KEYS[0]), name, 0)


@every_task
def test_shapes_and_dtypes_are_the_contracts(name):
  task, batch = CASES[name].task, examples(name)
  scored = batch.weights.shape[1]
  assert batch.inputs.shape[:2] == (SAMPLES, task.length)
  assert batch.inputs.ndim == (2 if task.vocabulary else 3)
  for leaf in (batch.positions, batch.segments):
    assert leaf.shape == (SAMPLES, task.length) and leaf.dtype == np.int32
  assert batch.weights.dtype == np.float32
  assert batch.targets.shape[:2] == batch.weights.shape == (SAMPLES, scored)
  if batch_of(name).at is None:
    assert scored == (1 if task.per_sequence else task.length)
  else:
    assert batch.at.dtype == np.int32 and not task.per_sequence
    assert batch.at.min() >= 0 and batch.at.max() < task.length
  for slices in batch.slices.values():
    assert slices.shape == (SAMPLES, scored) and slices.dtype == np.int32


@every_task
def test_values_are_within_their_ranges(name):
  task, batch = CASES[name].task, examples(name)
  # What a decoder is given has been written: tokens of the target.
  tokens = task.classes if task.reads_source else task.vocabulary
  if tokens:
    assert batch.inputs.dtype == np.int32
    assert batch.inputs.min() >= 0
    assert batch.inputs.max() < tokens
  else:
    assert batch.inputs.dtype == np.float32
    assert np.isfinite(batch.inputs[batch.segments > 0]).all()
  if isinstance(task.objective, CrossEntropy):
    assert batch.targets.dtype == np.int32
    assert batch.targets.min() >= 0
    assert batch.targets.max() < task.classes
  else:
    assert batch.targets.shape[2:] == (task.classes,)
    assert batch.targets.dtype == np.float32


@every_task
def test_every_example_is_scored_and_padding_never_is(name):
  task, batch = CASES[name].task, examples(name)
  assert (batch.weights >= 0).all()
  assert (batch.weights.sum(axis=1) > 0).all()
  if not task.per_sequence:
    segments = np.take_along_axis(batch.segments, batch.at, axis=1)
    assert not batch.weights[segments == 0].any()


@every_task
def test_a_constant_scores_chance(name):
  """The best constant of one half of the examples, on the other half."""
  case = CASES[name]
  assert case.task.chance == pytest.approx(case.chance)
  (_, targets, weights), held_out = halves(name)
  if isinstance(case.task.objective, CrossEntropy):
    constant = np.bincount(targets, weights).argmax()
  else:
    constant = np.average(targets, axis=0, weights=weights)
  assert_scores_chance(case, constant[None], held_out)


@pytest.mark.parametrize("name", [n for n in CASES if CASES[n].position_wise])
def test_a_position_wise_table_scores_chance(name):
  """The most frequent target of each token, learnt on half of the examples."""
  case = CASES[name]
  (tokens, targets, weights), held_out = halves(name)
  counts = np.zeros((case.task.vocabulary, case.task.classes), np.float32)
  np.add.at(counts, (tokens, targets), weights)
  assert_scores_chance(case, counts.argmax(axis=1)[held_out[0]], held_out)


def halves(name):
  """Own token, target and weight of the scored places, in two halves."""
  batch = examples(name)
  tokens = batch.inputs[np.arange(SAMPLES)[:, None], batch.at]
  scored = batch.weights > 0
  half = np.arange(SAMPLES)[:, None] < SAMPLES // 2
  return [
    [array[scored & part] for array in (tokens, batch.targets, batch.weights)]
    for part in (half, ~half)
  ]


def assert_scores_chance(case, answers, held_out):
  """The mean score is within five standard errors of the chance stated."""
  _, targets, weights = held_out
  if isinstance(case.task.objective, CrossEntropy):
    scores = answers == targets
    spread = math.sqrt(case.chance * (1 - case.chance))
  else:
    scores = -np.square(answers - targets).sum(axis=-1)
    spread = float(scores.std())
  error = spread / math.sqrt(len(scores))
  mean = np.average(scores, weights=weights)
  assert mean == pytest.approx(case.chance, abs=5 * error)


@every_task
def test_a_record_is_its_fields(name):
  task = CASES[name].task
  fields = {f.name: getattr(task, f.name) for f in dataclasses.fields(task)}
  assert type(task)(**fields) == task
  assert hash(type(task)(**fields)) == hash(task)
  assert from_json(json.loads(json.dumps(to_json(task)))) == task
  assert set(vars(task)) == set(fields)


@every_task
def test_splits_are_tasks_of_the_same_sizes(name):
  task = CASES[name].task
  for split in ("train", "validation", "test"):
    if getattr(task, "part", "all") in ("all", split):
      part = task.split(split)
      assert part.split(split) == part
      assert part.vocabulary == task.vocabulary
      assert (part.classes, part.length) == (task.classes, task.length)


@pytest.mark.parametrize(
  "name, fields",
  [(name, fields) for name, case in CASES.items() for fields in case.refused],
)
def test_bad_fields_are_refused_by_name(name, fields):
  task = CASES[name].task
  # Made without its constructor, as the hook of the tests would be the first
  # to refuse a word that is not in a Literal.
  record = object.__new__(type(task))
  for field in dataclasses.fields(task):
    value = fields.get(field.name, getattr(task, field.name))
    object.__setattr__(record, field.name, value)
  named = "|".join(fields)
  with pytest.raises(ValueError, match=rf"^({named}) = .*; allowed: .+"):
    record.__post_init__()
