import pytest

from research.command import run
from research.command.selection import parse, split
from research.command.sources import select
from tests.command import tiny


@pytest.mark.parametrize(
  ("text", "own", "paths"),
  [
    ("recall -q", "recall -q", ""),
    ("recall --a.b 1 -q", "recall -q", "--a.b 1"),
    ("recall --a.b -1 -2e-3 --out x", "recall --out x", "--a.b -1 -2e-3"),
    ("recall --a.b=1 --seeds 2", "recall --seeds 2", "--a.b=1"),
    ("recall --task a.b:C(x=1) --task.x 2", "recall --task a.b:C(x=1)",
     "--task.x 2"),
    ("recall --out a.b", "recall --out a.b", ""),
  ],
)  # fmt: skip
def test_paths_are_told_from_options(text, own, paths):
  assert split(text.split()) == (own.split(), paths.split())


def test_an_unknown_experiment_is_refused_before_the_rest(own_pages):
  with pytest.raises(ValueError, match="experiment = 'recal'"):
    parse(run.parser(), ["recal", "--training.step", "3"])


def chosen(tmp_path, *arguments):
  options, paths = parse(run.parser(), [tiny.write(tmp_path), *arguments])
  return select(options, paths, only=tuple(options.only), seeds=options.seeds)


def test_everything_may_be_asked_for_at_once(tmp_path):
  experiment = chosen(
    tmp_path,
    "--mixer", "a=research.attention.layer:Attention(heads=4)",
    "--mixer", "b=research.attention.layer:Attention",
    "--only", "a", "attention",
    "--seeds", "7",
    "--variants.a.model.mixer.heads", "8",
  )  # fmt: skip
  assert experiment.names() == ["attention", "a"]
  assert experiment.variant("a").model.mixer.heads == 8
  assert experiment.training.seeds == 7
  assert experiment.claims == ()


def test_claims_among_the_chosen_variants_stay(tmp_path):
  experiment = chosen(tmp_path, "--only", "attention", "rotary")
  assert experiment == tiny.experiment()


@pytest.mark.parametrize(
  ("arguments", "words"),
  [
    (["--only", "rotray"], "variant = 'rotray'; did you mean rotary?"),
    (["--seeds", "0"], "training.seeds = 0; allowed: 1 or more"),
  ],
)
def test_wrong_choices_are_refused(tmp_path, arguments, words):
  with pytest.raises(ValueError) as caught:
    chosen(tmp_path, *arguments)
  assert str(caught.value) == words
