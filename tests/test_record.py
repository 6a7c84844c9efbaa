"""Records as data: JSON and back, identity, strict overrides."""

import dataclasses
import json
import sys
import types
from typing import Any, Literal

import flax.linen as nn
import pytest

from research.attention.layer import Attention
from research.experiment import Bound, Change, Claim, Measure
from research.import_paths import find
from research.masks import Causal, Full, Window
from research.models.feed_forward import FeedForward, NoFeedForward
from research.models.sequence import SequenceModel
from research.positions.learned import LearnedPosition
from research.positions.rotary import Rotary
from research.positions.sinusoidal import Sinusoidal
from research.record import (
  code,
  from_json,
  identity,
  names,
  override,
  suggest,
  to_json,
  walk,
)
from research.tasks.labelling import ContextLabelling
from research.tasks.patterns import NoisyPatterns
from research.tasks.recall import MultiQueryRecall
from research.training.record import Training
from tests.cases import mixer_cases
from tests.tiny import EXPERIMENT

MODEL = SequenceModel(
  mixer=Attention(
    heads=2, mask=Causal() & Window(4) | ~Full(), position=Rotary(base=5.0)
  ),
  feed_forward=NoFeedForward(),
  position=Sinusoidal(),
)
RECORDS = {
  "model": MODEL,
  "default model": SequenceModel(),
  "learned": SequenceModel(position=LearnedPosition(length=9)),
  "training": Training(learning_rates=(0.1, 0.2), schedule="cosine"),
  "recall": MultiQueryRecall(pairs=(1, 2), filler="random"),
  "labelling": ContextLabelling(direction="left"),
  "patterns": NoisyPatterns(),
  "change": Change("x", (("model.mixer", Attention()), ("task.length", 8))),
  "claim": Claim("c", "text", Measure("a", "pairs=2"), "chance", 0.1),
  "bound": Bound("a", "all", 0.5),
  "experiment": EXPERIMENT,
  **{name: case.mixer for name, case in mixer_cases().items()},
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_comes_back_from_json(name):
  record = RECORDS[name]
  data = json.loads(json.dumps(to_json(record), allow_nan=False))
  back = from_json(data)
  assert type(back) is type(record)
  assert to_json(back) == data
  assert back == record
  assert identity(back) == identity(record)
  assert len(identity(record)) == 12


def other(value: Any) -> Any:
  """Another number of the same type."""
  return value + 1 if isinstance(value, int) else value / 2 or 0.5


def test_the_identity_changes_with_every_field():
  training, seen = Training(), {identity(Training())}
  for name in names(training):
    value = getattr(training, name)
    choices = {
      "learning_rates": (0.5,), "schedule": "cosine", "selection": "test"
    }  # fmt: skip
    new = choices[name] if name in choices else other(value)
    seen.add(identity(dataclasses.replace(training, **{name: new})))
  assert len(seen) == 1 + len(dataclasses.fields(training))


def test_the_identity_changes_with_fields_deep_inside():
  changed = [
    override(MODEL, "mixer.position.base", 6.0),
    override(MODEL, "mixer.mask", Causal()),
    override(MODEL, "mixer", Attention()),
    override(MODEL, "feed_forward", FeedForward()),
    override(MODEL, "layers", 3),
    MODEL,
  ]
  assert len({identity(model) for model in changed}) == 6


def test_the_identity_knows_the_class_and_not_the_spelling():
  assert identity(Causal()) != identity(Full())
  whole, decimal = Numbers(1, (2, 3)), Numbers(1.0, (2.0, 3.0))
  assert identity(whole) == identity(decimal)
  assert identity(from_json(to_json(whole))) == identity(whole)


def test_linens_own_fields_are_no_part_of_a_record():
  assert names(MODEL.mixer) == [
    "heads", "mask", "key_heads", "score", "normalizer", "position", "joint",
    "gate", "bias", "score_mod", "mask_mod", "weight_mod", "evaluation",
  ]  # fmt: skip
  assert set(to_json(Attention(name="x"))) == {"class", *names(MODEL.mixer)}


@dataclasses.dataclass(frozen=True)
class Named:
  """A record with the names of Linen's fields, and no module."""

  name: str
  parent: int = 0


@dataclasses.dataclass(frozen=True)
class Numbers:
  """Has floats, for which whole numbers may be given."""

  one: float
  several: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Loose:
  """Allows anything."""

  value: Any = 0
  kind: Literal["a", "b"] = "a"


class Free(nn.Module):
  """A module that allows anything."""

  value: Any = None


def test_a_record_may_have_fields_called_as_linens():
  assert names(Named("x")) == ["name", "parent"]
  assert from_json(to_json(Named("x", 3))) == Named("x", 3)


@pytest.mark.parametrize("kind", [Loose, Free])
@pytest.mark.parametrize(
  "value",
  [{"a": 1}, [1, 2], None, {1}, len, float("nan"), float("inf"), (1, [2])],
  ids=str,
)
def test_what_is_no_plain_value_is_refused(kind, value):
  with pytest.raises(ValueError, match=r"record\.value.* = .*; allowed: "):
    to_json(kind(value=value))


def test_an_override_replaces_one_field_and_copies_the_rest():
  new = override(MODEL, "mixer.position.base", 7.0)
  assert new.mixer.position == Rotary(base=7.0)
  assert MODEL.mixer.position == Rotary(base=5.0)
  assert override(new, "mixer.position.base", 5.0) == MODEL
  assert new.parent is None and new.mixer.parent is None
  training = override(Training(), "clip", 2)
  assert training == Training(clip=2.0) and isinstance(training.clip, float)


WRONG = {
  "unknown": (MODEL, "mixer.hedas", 2, "no field 'hedas'; did you mean heads"),
  "far off": (
    MODEL,
    "mixer.zzz",
    2,
    "allowed: bias, evaluation, gate, heads, joint, key_heads, mask",
  ),
  "through a number": (MODEL, "mixer.heads.x", 2, "2, which has no fields"),
  "hidden": (MODEL, "mixer.parent", None, "has no field 'parent'"),
  "type": (MODEL, "mixer.heads", "2", "mixer.heads = '2' .* allowed: int"),
  "bool": (MODEL, "mixer.heads", True, "True has the wrong type"),
  "int for bool": (MODEL, "mixer.bias", 1, "1 has the wrong type"),
  "class": (
    MODEL,
    "mixer.mask",
    Rotary(),
    "wrong type; allowed: a Mask of research.masks",
  ),
  "union": (MODEL, "feed_forward", Rotary(), "a FeedForward of .* or a NoFeed"),
  "literal": (
    MODEL,
    "norm",
    "both",
    "'both' has the wrong type; allowed: 'pre', 'post'",
  ),
  "tuple": (Training(), "learning_rates", 0.1, "wrong type"),
  "inside a tuple": (Training(), "learning_rates", ("a",), "wrong type"),
  "refused": (Training(), "seeds", 0, "training.seeds = 0; allowed: 1"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_override_says_what_is_allowed(name):
  record, path, value, message = WRONG[name]
  with pytest.raises(ValueError, match=message):
    override(record, path, value)


BROKEN = {
  "no class": ({"heads": 1}, "record.class = None; allowed: package"),
  "a number for a class": ({"class": 3}, "record.class = 3; allowed"),
  "no colon": ({"class": "research.masks"}, "cannot be imported"),
  "no module": ({"class": "nowhere:X"}, "nowhere"),
  "a relative module": ({"class": ".x:X"}, "cannot be imported"),
  "no such name": ({"class": "research.masks:X"}, "has no attribute 'X'"),
  "no record": ({"class": "os:getcwd"}, "os:getcwd' is no record"),
  "a class that is no record": ({"class": "builtins:int"}, "is no record"),
  "unknown field": (
    {"class": "research.masks:Window", "widht": 3},
    "no field 'widht'; did you mean width",
  ),
  "missing field": (
    {"class": "research.masks:Window"},
    "record: Window lacks the field 'width'",
  ),
  "wrong type": (
    {"class": "research.masks:Window", "width": "3"},
    "record.width = '3' has the wrong type; allowed: int",
  ),
  "null": ({"class": "research.masks:Window", "width": None}, "None has the"),
  "deep inside": (
    {
      "class": "research.attention.layer:Attention",
      "mask": {"class": "research.masks:Window", "width": 0},
    },
    "width = 0; allowed: 1 or more",
  ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_data_is_refused_and_nothing_else_is_called(name):
  data, message = BROKEN[name]
  with pytest.raises(ValueError, match=message):
    from_json(data)


def test_walk_finds_every_record_with_its_path():
  found = dict(walk(MODEL))
  assert found[""] is MODEL
  assert found["mixer.position"] == Rotary(base=5.0)
  assert found["mixer.mask.left.right"] == Window(4)
  change = Change("x", (("model.mixer", Attention()),))
  assert dict(walk(change))["fields.0.1"] == Attention()


def test_names_are_suggested():
  assert suggest("lenght", ["length", "width"]) == "did you mean length?"
  assert suggest("zzz", ["b", "a"]) == "allowed: a, b"


def test_the_code_of_a_record_is_that_of_its_files(tmp_path, monkeypatch):
  file = tmp_path / "own_part.py"
  text = (
    "import dataclasses\n\n\n@dataclasses.dataclass(frozen=True)\n"
    "class Part:\n  size: int = 1\n"
  )
  file.write_text(text)
  monkeypatch.syspath_prepend(tmp_path)
  part = find("own_part:Part")
  heir = type("Heir", (part,), {})
  both, inherited = code((part(), MODEL)), code(heir())
  assert code((part(2), MODEL)) == both != code(MODEL)
  file.write_text(text + "\n")
  assert code((part(), MODEL)) != both and code(heir()) != inherited


def test_a_class_without_a_file_has_no_code(monkeypatch):
  kind = dataclasses.make_dataclass("Part", [], frozen=True)
  kind.__module__ = "notebook"
  monkeypatch.setitem(sys.modules, "notebook", types.ModuleType("notebook"))
  assert code((kind(), MODEL)) == code(MODEL)
