import dataclasses
import re

import pytest

from research.attention.layer import Attention
from research.command import details
from research.command.details import tree
from research.command.main import main
from research.command.overrides import override_by_path
from research.experiment import Change
from research.masks import Full
from research.models.encoder_decoder import Decoder, Encoder, EncoderDecoder
from research.models.feed_forward import NoFeedForward
from research.models.front import NoFront, Subsampling
from research.models.hybrid import Hybrid
from research.recurrence.gru import GRU
from research.tasks.reverse import Reverse
from research.training.record import Training
from tests.command import tiny


@pytest.fixture
def cheap(here, monkeypatch):
  """Compiles nothing; `tiny.json` lies here."""

  @dataclasses.dataclass
  class Compiled:
    temporary_bytes: int = 3 * 2**20

  monkeypatch.setattr(
    details, "compile_programs", lambda plan, tests: Compiled()
  )
  tiny.write(here)


def shown(capsys, *arguments):
  assert main(["show", "tiny.json", *arguments]) == 0
  return capsys.readouterr().out.splitlines()


def test_the_record_is_shown_as_paths_and_values(cheap, capsys):
  lines = shown(capsys)
  assert lines[:2] == [
    f"tiny (laptop), {tiny.experiment().identity}",
    "Does it run?",
  ]
  for line in (
    "task = ContextLabelling",
    "  task.distances = 1 2",
    "  model.mixer = Attention",
    "    model.mixer.mask = Causal",
    "  training.learning_rates = 0.01",
    "  variants.attention = the base",
    "      variants.rotary.model.mixer.heads = 2",
    "    variants.rotary.training.steps = 2",
    "  longer: task.length = 16",
    "  rotary_helps: Rotary positions help. (smallest effect 0.05)",
  ):
    assert line in lines


def test_the_costs_of_every_variant_are_shown(cheap, capsys):
  lines = shown(capsys)
  *table, empty, hint = lines[-5:]
  assert table[0].split() == ["variant", "parameters", "state", "FLOPs/example"]
  assert [line.split()[0] for line in table[1:]] == ["attention", "rotary"]
  assert len(set(map(len, table))) == 1
  assert empty == "" and "--model VARIANT" in hint


def test_one_variant_is_shown_whole(cheap, capsys):
  lines = shown(capsys, "--model", "rotary", "--training.batch", "4")
  assert lines[0] == "variants.rotary.task = ContextLabelling"
  assert "  variants.rotary.training.batch = 4" in lines
  assert "  variants.rotary.training.steps = 2" in lines
  assert [line.split()[0] for line in lines[-4:-2]] == ["variant", "rotary"]
  assert lines[-2] == "3 MiB of temporary memory to train 2 members"
  assert re.fullmatch(
    r"model.mixer is evaluated as 'dense' \(8 queries and 8 keys: .*\)",
    lines[-1],
  )


@pytest.mark.parametrize(
  ("front", "encoded"), [(NoFront(), 20), (Subsampling(stride=3), 3)]
)
def test_attention_of_a_pair_is_told_with_its_own_lengths(
  capsys, front, encoded
):
  """Of the source behind its front end, and of a target with END."""
  full, none = Attention(mask=Full()), NoFeedForward()
  model = EncoderDecoder(
    encoder=Encoder(mixer=Hybrid((GRU(), full)), feed_forward=none),
    decoder=Decoder(mixer=Attention(), cross=full, feed_forward=none),
    front=front,
    width=8,
  )
  chosen = dataclasses.replace(
    tiny.experiment(),
    task=Reverse(longest=20),
    model=model,
    variants=(Change("pair"),),
  )
  details.print_forms(chosen.variant("pair"))
  told = capsys.readouterr().out
  found = re.findall(
    r"^model\.(\S+) .*\((\d+) queries and (\d+) keys", told, re.M
  )
  assert {part: (int(q), int(k)) for part, q, k in found} == {
    "encoder.mixer.mixers.1": (encoded, encoded),
    "decoder.mixer": (21, 21),
    "decoder.cross": (21, encoded),
  }


def test_every_path_that_is_shown_can_be_overridden(cheap, capsys):
  fields = [
    line.strip().split(" = ")
    for line in [*shown(capsys), *shown(capsys, "--model", "rotary")]
    if " = " in line and ": " not in line
  ]
  leaves = [(p, v) for p, v in fields if not v[0].isupper() and "base" not in v]
  leaves = [(p, v) for p, v in leaves if v not in ("True", "False")]
  assert len(leaves) > 60
  arguments = [word for p, v in leaves for word in (f"--{p}", *v.split())]
  new = override_by_path(tiny.experiment(), arguments, "mixerlab")
  for name in new.names():
    assert new.variant(name) == tiny.experiment().variant(name)


def test_functions_are_shown_by_their_import_paths(cheap, here, capsys):
  (here / "shown_rules.py").write_text(
    "import flax.linen as nn\n\n\n"
    "def near(score, batch, head, query, key):\n"
    "  return score - abs(query - key)\n\n\n"
    "class Reach(nn.Module):\n"
    "  keys: int = 1\n\n"
    "  def __call__(self, batch, head, query, key):\n"
    "    return query - key < self.keys\n"
  )
  mixer = (
    "near=research.attention.layer:Attention(score_mod=shown_rules:near, "
    "mask_mod=shown_rules:Reach(keys=3))"
  )
  lines = shown(capsys, "--mixer", mixer, "--model", "near")
  path = "variants.near.model.mixer"
  assert f"    {path}.score_mod = shown_rules:near" in lines
  assert f"    {path}.mask_mod = Reach" in lines
  assert f"      {path}.mask_mod.keys = 3" in lines
  assert not any("<function" in line for line in lines)


def test_what_does_not_fit_is_told_with_the_variant(cheap, capsys):
  arguments = ["--variants.rotary.model.mixer.heads", "3"]
  assert main(["show", "tiny.json", *arguments]) == 2
  assert "variant 'rotary': heads = 3" in capsys.readouterr().err


def test_a_part_without_a_method_is_told_with_the_variant(cheap, capsys):
  mixer = "tests.command.tiny:HalfDone(reach=2)"
  assert main(["show", "tiny.json", "--mixer", mixer]) == 2
  assert "error: variant 'half_done': HalfDone" in capsys.readouterr().err


def test_records_in_tuples_are_shown_with_their_numbers():
  masks = (Attention(heads=2), 3)
  assert list(tree("x", masks))[:3] == [
    "x = Attention 3",
    "  x.0 = Attention",
    "    x.0.heads = 2",
  ]


def test_empty_values_can_be_seen():
  assert list(tree("x", ())) == ["x = ()"]
  assert list(tree("x", "")) == ["x = ''"]
  assert next(tree("t", Training())) == "t = Training"


@pytest.mark.parametrize(
  ("number", "text"),
  [
    (12, "12 B"),
    (2048, "2 KiB"),
    (5.4 * 2**20, "5 MiB"),
    (3.25 * 2**30, "3.2 GiB"),
  ],
)
def test_bytes_are_readable(number, text):
  assert details._bytes(number) == text


def test_the_real_cost_of_a_variant_is_shown(here, capsys):
  tiny.write(here)
  counts, memory, _ = shown(capsys, "--model", "attention")[-3:]
  name, parameters, state, flops = counts.split()
  assert (name, state) == ("attention", "128")
  assert int(parameters) > 0
  assert flops.endswith("k")
  assert " KiB of temporary memory" in memory
