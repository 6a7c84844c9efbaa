"""Import paths, and the functions in a record, which are written as these."""

import dataclasses
import functools
import json
from typing import Any

import flax.linen as nn
import pytest

from research.attention.layer import Attention
from research.experiment import Change
from research.import_paths import find, find_function, import_path
from research.masks import Window
from research.record import code, from_json, identity, override, to_json

LAYER = "research.attention.layer:Attention"


def near(score, batch, head, query, key):
  """Prefers keys that are near."""
  return score - abs(query - key)


def far(score, batch, head, query, key):
  """Prefers keys that are far."""
  return score + abs(query - key)


def closure(slope):
  """A function that stands in no module."""

  def rule(score, batch, head, query, key):
    return score - slope * abs(query - key)

  return rule


nameless = lambda score, *where: score  # noqa: E731  (what is tested)


class Slope(nn.Module):
  """A module in the place of a function."""

  start: float = 1.0

  def __call__(self, score, batch, head, query, key):
    return score - self.start * abs(query - key)


@dataclasses.dataclass(frozen=True)
class Called:
  """A record with a field called as functions are in JSON."""

  function: Any = 0


RECORDS = {
  "function": Attention(score_mod=near),
  "functions in tuples": Change("x", (("model.mixer", (near, (far,))),)),
  "module for a function": Attention(weight_mod=Slope(start=2.0)),
  "field called function": Called(3),
  "function called function": Called(near),
}
BROKEN = {
  "no function": (
    {"class": LAYER, "score_mod": {"function": "research.masks:Window"}},
    "record.score_mod = 'research.masks:Window' is no function; allowed: pack",
  ),
  "a number for a path": (
    {"class": LAYER, "score_mod": {"function": 3}},
    "record.score_mod = 3 is no function; allowed: package.module:name",
  ),
  "no such function": (
    {"class": LAYER, "score_mod": {"function": "research.masks:x"}},
    "record.score_mod = 'research.masks:x' cannot be imported",
  ),
  "a function without a name": (
    {"class": LAYER, "score_mod": {"function": f"{__name__}:nameless"}},
    "record.score_mod = .*<lambda> cannot be found again",
  ),
  "a function with fields": (
    {"class": LAYER, "score_mod": {"function": "json:dumps", "indent": 2}},
    "record.score_mod.class = None; allowed",
  ),
  "a function for a record": (
    {"class": LAYER, "mask": {"function": "json:dumps"}},
    "record.mask = json:dumps has the wrong type; allowed: a Mask of res",
  ),
  "a record that cannot be called": (
    {"class": LAYER, "mask_mod": {"class": "research.masks:Causal"}},
    "record.mask_mod = Causal.* has the wrong type; allowed: a function",
  ),
}


def test_a_path_leads_there_and_back():
  for thing in (Window, near, code):
    assert find(import_path(thing)) is thing
  assert find_function(import_path(code)) is code


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_comes_back_from_json(name):
  record = RECORDS[name]
  back = from_json(json.loads(json.dumps(to_json(record))))
  assert back == record
  assert identity(back) == identity(record)


def test_a_function_is_written_as_its_import_path():
  data = to_json(Attention(score_mod=near))
  assert data["score_mod"] == {"function": f"{__name__}:near"}
  assert from_json(data).score_mod is near


def test_the_identity_knows_the_function():
  layers = [
    Attention(),
    Attention(score_mod=near),
    Attention(score_mod=far),
    Attention(weight_mod=near),
  ]
  assert len({identity(layer) for layer in layers}) == 4


@pytest.mark.parametrize(
  ("function", "message"),
  [
    (lambda *pair: 0.0, "<lambda> cannot be found again; allowed: a function"),
    (nameless, ":<lambda> cannot be found again; allowed: a function that"),
    (closure(2.0), ":closure.<locals>.rule cannot be found again; allowed: "),
    (Slope.__call__, ":Slope.__call__ cannot be found again; allowed: "),
    (functools.partial(near, 1.0), "partial.*allowed: .*function of a module"),
  ],
)
def test_a_function_that_stands_in_no_module_is_refused(function, message):
  with pytest.raises(ValueError, match=r"record\.score_mod = .*" + message):
    identity(Attention(score_mod=function))


@pytest.mark.parametrize("name", BROKEN)
def test_data_without_its_function_is_refused(name):
  data, message = BROKEN[name]
  with pytest.raises(ValueError, match=message):
    from_json(data)


def test_a_function_is_put_in_by_its_path():
  new = override(Attention(), "score_mod", near)
  assert new.score_mod is near
  message = "score_mod = 2 has the wrong type; allowed: a function, or a mod"
  with pytest.raises(ValueError, match=message):
    override(Attention(), "score_mod", 2)


def test_a_function_in_the_wrong_place_is_told_by_its_path():
  message = "has the wrong type; allowed: a Mask of research.masks$"
  message = f"^mask = {__name__}:near {message}"
  with pytest.raises(ValueError, match=message):
    override(Attention(), "mask", near)


def test_the_code_of_a_record_is_that_of_its_functions_too(
  tmp_path, monkeypatch
):
  file = tmp_path / "own_rule.py"
  text = "def rule(score, batch, head, query, key):\n  return score\n"
  file.write_text(text)
  monkeypatch.syspath_prepend(tmp_path)
  rule = find("own_rule:rule")
  layer = Attention(score_mod=rule)
  change = Change("x", (("model.mixer.score_mod", rule),))
  before = code(layer), code(change)
  assert code(layer) != code(Attention())
  file.write_text(text + "\n")
  assert all(
    new != old
    for new, old in zip((code(layer), code(change)), before, strict=True)
  )
