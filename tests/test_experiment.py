"""Experiments: variants made from a base, and what is refused."""

import dataclasses

import pytest

from research.attention.layer import Attention
from research.experiment import Bound, Change, Claim, Measure, Variant
from research.masks import Full
from research.mixer import Mixer
from research.positions.learned import LearnedPosition
from research.positions.rotary import Rotary
from research.preparation import prepare
from research.record import from_json, to_json
from tests.tiny import EXPERIMENT
from tests.training.problem import MODEL, TASK


def changed(**fields):
  return dataclasses.replace(EXPERIMENT, **fields)


def with_variant(*fields):
  return changed(variants=(Change("odd", fields),), claims=())


def test_a_variant_is_the_base_with_its_changes():
  base = EXPERIMENT.training
  second = dataclasses.replace(base, weight_decay=0.5)
  assert EXPERIMENT.names() == ["first", "second"]
  assert EXPERIMENT.variant("first") == Variant("first", TASK, MODEL, base)
  assert EXPERIMENT.variant("second") == Variant("second", TASK, MODEL, second)


def test_a_test_task_is_the_variants_own_task_changed():
  tasks = EXPERIMENT.test_tasks(EXPERIMENT.variant("first"))
  assert [*tasks] == ["test", "easy"]
  assert tasks["test"] == TASK
  assert tasks["easy"] == dataclasses.replace(TASK, asked=(1,))


def test_the_identity_tells_experiments_apart():
  versions = [
    EXPERIMENT,
    changed(question="Another?"),
    changed(scale="laptop"),
    changed(tests=()),
    changed(claims=EXPERIMENT.claims[:1]),
    changed(variants=EXPERIMENT.variants[::-1]),
    changed(bounds=(Bound("first", "all", 0.5),)),
    changed(model=MODEL.copy(parent=None, mixer=Attention(mask=Full()))),
  ]
  assert len({one.identity for one in versions}) == len(versions)
  back = from_json(to_json(EXPERIMENT))
  assert back == EXPERIMENT and back.identity == EXPERIMENT.identity


def test_a_part_keeps_the_claims_about_it():
  part = EXPERIMENT.only(("first",))
  assert part.names() == ["first"]
  assert [claim.name for claim in part.claims] == ["better"]
  bounds = (Bound("first", "asked=1", 1.0), Bound("second", "asked=1", 1.0))
  bounded = changed(bounds=bounds).only(("second",))
  assert bounded.bounds == bounds[1:]
  assert EXPERIMENT.only(("second", "first")) == EXPERIMENT
  with pytest.raises(ValueError, match="'frist'; did you mean first"):
    EXPERIMENT.only(("frist",))


@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ({"variants": ()}, "at least one"),
    ({"variants": (Change("a"), Change("a"))}, "different names"),
    ({"variants": (Change("a/b"),)}, "variant = 'a/b'; allowed: letters"),
    ({"variants": (Change(""),)}, "variant = ''"),
    ({"tests": (Change("a"), Change("a"))}, "different names"),
  ],
)
def test_names_are_checked(fields, message):
  with pytest.raises(ValueError, match=message):
    changed(**fields)


def test_the_whole_is_prepared_without_training():
  plans = prepare(EXPERIMENT)
  assert [*plans] == ["first", "second"]
  assert plans["second"].training.weight_decay == 0.5
  assert plans["first"].model.vocabulary == 8


@pytest.mark.parametrize("name", ["", "../up", "a b"])
def test_a_name_that_is_no_folder_is_refused(name):
  with pytest.raises(ValueError, match=f"name = '{name}'; allowed: letters"):
    prepare(changed(name=name))


@pytest.mark.parametrize(
  ("field", "value", "message"),
  [
    ("training.seeds", 0, "training.seeds = 0; allowed: 1 or more"),
    ("training.sede", 1, "no field 'sede'; did you mean seeds"),
    ("training.steps", "9", "training.steps = '9' has the wrong type"),
    ("model.mixer.heads", 3, "heads = 3 does not divide width 8; allowed"),
    (
      "model.mixer",
      Attention(heads=8, position=Rotary()),
      "key width = 1 cannot be rotated; allowed: even",
    ),
    (
      "model.position",
      LearnedPosition(length=3),
      "model.position.length = 3 with positions up to 7; allowed: 8 or more",
    ),
    ("model.pooling", "mean", "model.pooling = 'mean' .* allowed: none"),
    ("model.mixer", Mixer(), "Mixer has no '.*', which its contract asks for"),
    ("variants.x", 1, "allowed: paths that begin with task, model or training"),
  ],
)
def test_a_variant_that_cannot_be_is_named(field, value, message):
  with pytest.raises(ValueError, match=f"variant 'odd': .*{message}"):
    prepare(with_variant((field, value)))


def test_a_batch_that_does_not_divide_among_devices_is_refused():
  few = (("training.seeds", 1), ("training.learning_rates", (0.1,)))
  with pytest.raises(ValueError, match="training.batch = 6 .* multiple of 4"):
    prepare(with_variant(*few, ("training.batch", 6)))


@dataclasses.dataclass(frozen=True)
class Outer:
  """Where no import path leads to."""

  class Hidden(type(TASK)):
    """A task inside of a class."""


def test_a_class_that_cannot_be_found_again_is_refused():
  task = Outer.Hidden()
  with pytest.raises(ValueError, match="Outer.Hidden' cannot be imported"):
    prepare(changed(task=task))


@pytest.mark.parametrize(
  ("change", "message"),
  [
    (Change("test", (("task.length", 8),)), "tests has the name 'test'"),
    (Change("train"), "tests has the name 'train'"),
    (Change("x", (("model.width", 4),)), "'model.width'; allowed: .* task"),
    (Change("x", (("task.length", 2),)), "length = 2; allowed: 3 or"),
    (Change("x", (("task.vocabulary", 16),)), "model.vocabulary = 8"),
  ],
)
def test_a_test_task_that_cannot_be_is_refused(change, message):
  with pytest.raises(ValueError, match=message):
    prepare(changed(tests=(change,), claims=()))


@pytest.mark.parametrize(
  ("left", "right", "message"),
  [
    (Measure("frist"), "zero", "'frist'; did you mean first"),
    (Measure("first"), "zreo", "'zreo'; did you mean zero"),
    (Measure("first", task="esay"), "one", "task = 'esay'; did you mean easy"),
    (Measure("first", task="train"), "one", "task = 'train'"),
    (
      Measure("first", "aksed=1"),
      "one",
      "slice = 'aksed=1'; did you mean asked",
    ),
    (Measure("first", "asked"), "one", "slice = 'asked'; did you mean asked=…"),
    (Measure("first", "asked="), "one", "slice = 'asked='; did you mean asked"),
    (Measure("first", "all=3"), "one", "slice = 'all=3'; did you mean all"),
    (
      Measure("first", metric="speed"),
      "one",
      "allowed: accuracy, loss, parameters",
    ),
    (Measure("first", "asked=1", metric="loss"), "one", "allowed: accuracy$"),
    (Measure("first", metric="step_milliseconds"), "one", "temporary_bytes$"),
    (Measure("first", "asked=1", metric="parameters"), "one", "accuracy$"),
    ("one", "zero", "allowed: one measure at least"),
  ],
)
def test_a_claim_about_nothing_is_refused(left, right, message):
  claim = Claim("c", "text", left, right, 0.1)
  with pytest.raises(ValueError, match=f"claim 'c'.*{message}"):
    prepare(changed(variants=EXPERIMENT.variants[:1], claims=(claim,)))


@pytest.mark.parametrize(
  "sides", [(Measure("first"), "one"), ("chance", Measure("first"))]
)
def test_a_share_of_a_number_is_refused(sides):
  claim = Claim("c", "text", *sides, 0.1, relative=True)
  with pytest.raises(ValueError, match="claim 'c' .*; allowed: two measures"):
    prepare(changed(claims=(claim,)))
