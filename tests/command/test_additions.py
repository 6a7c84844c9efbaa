import dataclasses

import flax.linen as nn
import pytest

from experiments.transduction import experiment as transduction
from research.attention.layer import Attention
from research.command.additions import add_mixers, replace_task
from research.experiment import Change
from research.masks import Causal, Full, Window
from research.record import to_json
from research.scores.cosine import Cosine
from tests.command import tiny

ATTENTION = "research.attention.layer:Attention"
WINDOW = "research.masks:Window"
POSITIONS = "research.positions"
TASK = "research.tasks.labelling:ContextLabelling"
HALF = "tests.command.tiny:HalfDone"
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


def test_a_mixer_is_a_variant_named_after_its_class(experiment):
  added = add_mixers(experiment, [f"{HALF}(reach=3)"])
  assert added.names() == ["attention", "rotary", "half_done"]
  change = Change("half_done", (("model.mixer", tiny.HalfDone(reach=3)),))
  assert to_json(added.variants[-1]) == to_json(change)
  assert added.claims == experiment.claims


def test_a_mixer_may_have_another_name_and_fields(experiment):
  added = add_mixers(experiment, [f"two={ATTENTION}"])
  assert added.names()[-1] == "two"
  added = add_mixers(experiment, [f"two={ATTENTION}(heads=2, bias=True)"])
  mixer = added.variant("two").model.mixer
  assert to_json(mixer) == to_json(Attention(heads=2, bias=True))


def test_a_field_may_be_a_class_again(experiment):
  score = "research.scores.cosine:Cosine(start=2)"
  mask = (
    "research.masks:Both(left=research.masks:Causal, "
    "right=research.masks:Window(width=3))"
  )
  given = f"{ATTENTION}(heads=2, score={score}, mask={mask}, gate='head')"
  mixer = add_mixers(experiment, [f"two={given}"]).variant("two").model.mixer
  wanted = Attention(
    heads=2, score=Cosine(start=2.0), mask=Causal() & Window(3), gate="head"
  )
  assert to_json(mixer) == to_json(wanted)
  hard = f"{POSITIONS}.hard_alibi:HardALiBi(windows=(2, 3))"
  mixer = add_mixers(experiment, [f"hard={ATTENTION}(position={hard})"])
  assert mixer.variant("hard").model.mixer.position.windows == (2, 3)


def test_a_field_may_be_a_function(experiment):
  given = f"near={ATTENTION}(heads=4, score_mod={NEAR})"
  mixer = add_mixers(experiment, [given]).variant("near").model.mixer
  assert mixer.score_mod is near
  assert to_json(mixer) == to_json(Attention(heads=4, score_mod=near))


def test_a_module_may_stand_in_place_of_a_function(experiment):
  for text, module in (
    (f"{__name__}:Reach(keys=2)", Reach(keys=2)),
    (f"{__name__}:Reach", Reach()),
  ):
    given = f"near={ATTENTION}(mask_mod={text}, score_mod={NEAR})"
    mixer = add_mixers(experiment, [given]).variant("near").model.mixer
    wanted = Attention(mask_mod=module, score_mod=near)
    assert to_json(mixer) == to_json(wanted)


def test_a_file_that_cannot_be_read_is_told_as_python_does(
  experiment, tmp_path, monkeypatch
):
  (tmp_path / "broken_rule.py").write_text("def rule(:\n")
  monkeypatch.syspath_prepend(tmp_path)
  with pytest.raises(SyntaxError, match=r"broken_rule\.py, line 1"):
    add_mixers(experiment, [f"x={ATTENTION}(score_mod=broken_rule:rule)"])


def test_a_task_takes_the_place_and_claims_go(experiment):
  changed = replace_task(
    experiment, f"{TASK}(length=16, distances=(1, 3), direction='left')"
  )
  assert changed.task.distances == (1, 3)
  assert changed.task.length == 16
  assert (changed.claims, changed.tests, changed.bounds) == ((), (), ())
  assert changed.names() == experiment.names()


@pytest.mark.parametrize(
  ("text", "words"),
  [
    ("attention", "allowed: package.module:Class"),
    ("no.such.module:Name", "cannot be imported"),
    ("research.attention.layer:Attenton", "cannot be imported"),
    ("json:dumps", "is no Mixer"),
    (TASK, "is no Mixer"),
    (ATTENTION, "second variant 'attention'"),
    (f"{ATTENTION}(hats=2)", "no field 'hats'; did you mean heads"),
    (f"{ATTENTION}(heads='2')", "heads = '2' has the wrong type"),
    (f"{ATTENTION}(2)", "a value has no name"),
    (f"{ATTENTION}(heads=)", "cannot be read"),
    (f"{ATTENTION}(heads=open)", "cannot be read"),
    (f"{ATTENTION}(heads=open(2))", "cannot be read"),
    (f"{ATTENTION}(score=no.such:Score)", "'no.such:Score' cannot be"),
    (f"{ATTENTION}(score=json:dumps)", "score = json:dumps has the wrong type"),
    (f"{ATTENTION}(score=json:decoder)", "is no record"),
    (f"{ATTENTION}(heads=open)", "and functions, as package.module:name"),
    (f"{ATTENTION}(score_mod=json:no)", "score_mod.class = 'json:no' cannot"),
    (f"{ATTENTION}(score_mod={NEAR}())", f"score_mod.class = '{NEAR}' is no"),
    (f"{ATTENTION}(score_mod=research.masks:Causal)", "allowed: a function"),
    (f"{ATTENTION}(score_mod=3)", "score_mod = 3 has the wrong type"),
    (f"{ATTENTION}(score={TASK})", "has the wrong type; allowed: a Score"),
    (f"{ATTENTION}(mask=research.masks:Window)", "lacks the field 'width'"),
    (f"{ATTENTION}(heads=2)(key_heads=1)", "more than one pair of brackets"),
    (
      f"{ATTENTION}(heads=2) + f(key_heads=1)",
      "more than one pair of brackets",
    ),
    (f"{ATTENTION}(mask={WINDOW}(width=2)(width=3))", "is no plain value"),
    (f"{ATTENTION}(heads=_())", "is no plain value"),
    (f"{ATTENTION}(heads=0)", "heads = 0; allowed: 1 or more"),
    (HALF, "reach"),
  ],
)
def test_wrong_mixers_are_refused(experiment, text, words):
  with pytest.raises(ValueError, match="--mixer|heads") as caught:
    add_mixers(experiment, [text])
  assert words in str(caught.value)


def test_a_task_that_no_variant_has_is_refused():
  page = transduction("smoke")
  with pytest.raises(ValueError, match="--task = .* changes no variant, as ea"):
    replace_task(page, TASK)
  own = ("task.order", "shuffled")
  variants = (*tiny.experiment().variants, Change("mixed", (own,)))
  page = dataclasses.replace(tiny.experiment(), variants=variants)
  message = "variant 'mixed' sets task.order, which ContextLabelling has not"
  with pytest.raises(ValueError, match=message):
    replace_task(page, TASK)


def test_a_mixer_is_no_task(experiment):
  with pytest.raises(ValueError, match="is no Task.*research.tasks.base:Task"):
    replace_task(experiment, ATTENTION)


@pytest.mark.parametrize(
  ("name", "variant"),
  [("GRU", "gru"), ("GatedDelta", "gated_delta"), ("LSTMCell2", "lstm_cell2")],
)
def test_names_of_classes_become_names_of_variants(
  experiment, monkeypatch, name, variant
):
  kind = type(name, (Attention,), {"__module__": tiny.__name__})
  monkeypatch.setattr(tiny, name, kind, raising=False)
  added = add_mixers(experiment, [f"tests.command.tiny:{name}"])
  assert added.names()[-1] == variant


MASK = "research.masks:Full"
READER = f"{ATTENTION}(heads=2, mask={MASK})"


def test_an_encoder_and_a_decoder_have_mixers_of_their_own():
  page = transduction("smoke")
  added = add_mixers(
    page,
    [f"both={ATTENTION}(heads=2)", ATTENTION],
    [f"both={READER}", f"reads={READER}"],
  )
  both, alone, reads = (
    added.variant(name).model for name in ("both", "attention", "reads")
  )
  writer, reader = Attention(heads=2), Attention(heads=2, mask=Full())
  assert (both.encoder.mixer, both.decoder.mixer) == (reader, writer)
  assert alone.encoder.mixer == page.model.encoder.mixer
  assert (alone.decoder.mixer, reads.encoder.mixer) == (Attention(), reader)
  assert reads.decoder.mixer == page.model.decoder.mixer


def test_an_encoder_is_no_part_of_other_models(experiment):
  with pytest.raises(
    ValueError, match="--encoder-mixer = .*; allowed: --mixer"
  ):
    add_mixers(experiment, [], [ATTENTION])


@pytest.mark.parametrize("option", ["mixer", "encoder-mixer"])
def test_a_name_is_given_once(option):
  given = {"mixer": [], "encoder-mixer": [], option: [ATTENTION] * 2}
  with pytest.raises(ValueError, match=f"--{option} = .* second .*'attention'"):
    add_mixers(transduction("smoke"), *given.values())
