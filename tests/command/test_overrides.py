import dataclasses
import importlib.util

import flax.linen as nn
import pytest

from research.attention.layer import Attention
from research.command.overrides import override_by_path
from research.experiment import Change
from research.positions.rotary import Rotary
from research.record import to_json
from tests.command import tiny

NEAR = f"{__name__}:near"


def near(score, batch, head, query, key):
  """Prefers keys that are near."""
  return score - abs(query - key)


class Reach(nn.Module):
  """A module in the place of a function."""

  keys: int = 1

  def __call__(self, batch, head, query, key):
    return query - key < self.keys


@pytest.fixture
def experiment():
  return tiny.experiment()


def changed(experiment, text):
  return override_by_path(experiment, text.split(), "mixerlab run tiny")


def differences(old, new, path=""):
  """The paths at which two records differ, with the new values."""
  if isinstance(old, dict) and isinstance(new, dict):
    return {
      place: value
      for key in {**old, **new}
      for place, value in differences(
        old.get(key), new.get(key), f"{path}.{key}".lstrip(".")
      ).items()
    }
  return {} if old == new else {path: new}


def test_without_arguments_the_record_is_the_same_object(experiment):
  assert override_by_path(experiment, [], "x") is experiment


@pytest.mark.parametrize(
  ("text", "expected"),
  [
    ("--training.steps 500", {"training.steps": 500}),
    ("--training.steps=500", {"training.steps": 500}),
    ("--training.evaluate-every 5", {"training.evaluate_every": 5}),
    ("--training.weight_decay 1", {"training.weight_decay": 1.0}),
    ("--training.weight_decay 1e-3", {"training.weight_decay": 1e-3}),
    ("--training.learning_rates 1e-3 2e-3",
     {"training.learning_rates": [1e-3, 2e-3]}),
    ("--training.schedule cosine", {"training.schedule": "cosine"}),
    ("--model.mixer.bias", {"model.mixer.bias": True}),
    ("--model.mixer.no_bias", {}),
    (f"--model.mixer.score_mod {NEAR} --model.width 4",
     {"model.mixer.score_mod.function": NEAR, "model.width": 4}),
    ("--model.layers 1", {}),
    ("--task.length 6 --task.distances 1 --model.width 4",
     {"task.length": 6, "task.distances": [1], "model.width": 4}),
  ],
)  # fmt: skip
def test_the_base_changes_at_the_path_and_nowhere_else(
  experiment, text, expected
):
  new = changed(experiment, text)
  assert differences(to_json(experiment), to_json(new)) == expected


def test_fields_that_are_legal_only_together_are_changed_together(experiment):
  longer = changed(experiment, "--task.length 16 --task.distances 1 5")
  assert longer.task.distances == (1, 5)
  shorter = changed(longer, "--task.distances 1 2 --task.length 8")
  assert to_json(shorter) == to_json(experiment)


def test_a_variant_changes_within_what_it_replaces(experiment):
  text = (
    "--variants.rotary.model.mixer.position.base 50 "
    "--variants.rotary.model.mixer.heads 4"
  )
  mixer = Attention(heads=4, position=Rotary(base=50.0))
  wanted = (("model.mixer", mixer), ("training.steps", 2))
  new = changed(experiment, text)
  assert to_json(new.variants[1]) == to_json(Change("rotary", wanted))
  assert new.variants[0] == experiment.variants[0]


def test_a_variant_changes_a_value_that_it_replaces(experiment):
  new = changed(experiment, "--variants.rotary.training.steps 3")
  assert new.variant("rotary").training.steps == 3
  assert len(new.variants[1].fields) == 2


def test_a_variant_changes_a_field_that_it_shares_with_the_base(experiment):
  new = changed(
    experiment, "--variants.attention.model.width 16 --training.batch 4"
  )
  assert new.variant("attention").model.width == 16
  assert new.variant("rotary").model.width == 8
  assert new.variant("attention").training.batch == 4


def test_a_value_equal_to_the_old_default_counts_where_it_is_given(experiment):
  new = changed(
    experiment, "--training.batch 4 --variants.rotary.training.batch 8"
  )
  assert new.variant("attention").training.batch == 4
  assert new.variant("rotary").training.batch == 8


def test_a_variant_may_replace_a_record_and_a_field_in_it(experiment):
  both = (("model.mixer", Attention(heads=2)), ("model.mixer.heads", 4))
  experiment = dataclasses.replace(
    experiment, variants=(Change("attention"), Change("both", both)), claims=()
  )
  new = changed(experiment, "--variants.both.model.mixer.heads 8")
  assert new.variant("both").model.mixer.heads == 8
  new = changed(experiment, "--variants.both.model.mixer.bias")
  assert new.variant("both").model.mixer.bias
  assert new.variant("both").model.mixer.heads == 4
  with pytest.raises(SystemExit):
    changed(experiment, "--help")


def test_records_in_a_tuple_have_paths_by_number(experiment):
  stack = tiny.Stack(parts=(Attention(heads=2), Attention()))
  experiment = dataclasses.replace(
    experiment,
    variants=(Change("stack", (("model.mixer", stack),)),),
    claims=(),
  )
  new = changed(experiment, "--variants.stack.model.mixer.parts.1.heads 4")
  parts = new.variant("stack").model.mixer.parts
  assert [part.heads for part in parts] == [2, 4]


def test_a_module_in_place_of_a_function_has_fields_with_paths(
  experiment, capsys
):
  layer = Attention(mask_mod=Reach(), position=Rotary())
  own = Change("own", (("model.mixer", layer),))
  model = dataclasses.replace(experiment.model, mixer=layer)
  experiment = dataclasses.replace(
    experiment, model=model, variants=(Change("base"), own), claims=()
  )
  text = (
    "--model.mixer.mask_mod.keys 2 --model.mixer.position.base 9 "
    f"--model.layers 3 --variants.own.model.mixer.mask_mod.keys 4 "
    f"--variants.own.model.mixer.score_mod {NEAR}"
  )
  new = changed(experiment, text)
  base, own = (new.variant(name).model for name in ("base", "own"))
  assert (base.mixer.mask_mod, base.layers) == (Reach(keys=2), 3)
  assert base.mixer.position == Rotary(base=9.0)
  assert own.mixer == dataclasses.replace(
    layer, mask_mod=Reach(keys=4), score_mod=near
  )
  with pytest.raises(SystemExit):
    changed(experiment, "--help")
  assert "--model.mixer.mask_mod.keys" in capsys.readouterr().out


def test_names_of_variants_need_not_be_identifiers(experiment):
  two = Change("2-heads", (("model.mixer", Attention(heads=2)),))
  experiment = dataclasses.replace(
    experiment, variants=(Change("attention"), two), claims=()
  )
  new = changed(experiment, "--variants.2-heads.model.mixer.heads 4")
  assert new.variant("2-heads").model.mixer.heads == 4


def test_a_path_that_no_variant_uses_is_refused(experiment):
  only = experiment.only(("rotary",))
  with pytest.raises(ValueError) as caught:
    changed(only, "--model.mixer.heads 4")
  assert str(caught.value) == (
    "model.mixer.heads changes no variant, as each has its own; allowed: "
    "--variants.rotary.model.mixer.heads and the like"
  )
  assert changed(experiment, "--model.mixer.heads 4")


@pytest.mark.parametrize(
  ("text", "words"),
  [
    ("--training.step 5", ("--training.step", "Perhaps", "--training.steps")),
    ("--variants.rotari.model.mixer.heads 2",
     ("rotari", "--variants.rotary.model.mixer.heads")),
    ("--training.steps many", ("--training.steps", "many")),
    ("--training.steps 1.5", ("--training.steps", "1.5")),
    ("--training.schedule linear", ("--training.schedule", "cosine")),
    ("--training.seeds 0", ("training.seeds = 0", "1 or more")),
    ("--model.mixer.score_mod json:no", ("score_mod", "'json:no'", "cannot")),
    ("--model.mixer.score_mod os:getcwd", ("'os:getcwd' is no function",)),
  ],
)  # fmt: skip
def test_wrong_paths_and_values_end_with_the_message_of_tyro(
  experiment, capsys, text, words
):
  with pytest.raises(SystemExit) as caught:
    changed(experiment, text)
  assert caught.value.code == 2
  error = capsys.readouterr().err
  for word in words:
    assert word in error


def test_help_names_the_paths(experiment, capsys):
  with pytest.raises(SystemExit) as caught:
    changed(experiment, "--help")
  assert caught.value.code == 0
  out = capsys.readouterr().out
  assert "usage: mixerlab run tiny" in out
  for path in ("training.learning_rates", "model.mixer.heads",
               "variants.rotary.model.mixer.position.base",
               "variants.rotary.training.steps"):  # fmt: skip
    assert f"--{path}" in out
  assert "--variants.attention" not in out


def test_without_tyro_only_paths_are_refused(experiment, monkeypatch):
  monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
  assert override_by_path(experiment, [], "x") is experiment
  with pytest.raises(ValueError, match=r"needs tyro.*mixerlab\[command\]"):
    changed(experiment, "--training.steps 3")
