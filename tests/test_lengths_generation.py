"""Mixers that read token by token, and forms of a mixer that agree."""

import dataclasses
import math
import sys

import jax
import numpy as np
import pytest

from research.attention.layer import Attention
from research.experiment import (
  DIFFERENCE,
  GENERATION_EXPONENT,
  GRADIENT_DIFFERENCE,
  MICROSECONDS,
  STATE_BYTES,
  STREAM_DIFFERENCE,
  TIME_EXPONENT,
  Change,
  Claim,
  Measure,
)
from research.lengths import alone, generation
from research.lengths import measure as measuring
from research.lengths.agreement import Difference, difference, largest
from research.lengths.generation import LAST, Generator, state_bytes
from research.lengths.measure import Generated, Measured, measure
from research.lengths.rows import rows as rows_of
from research.masks import Full
from research.preparation import prepare
from research.results import read_summary
from research.summary import judge
from research.timing import ROUNDS
from research.training.cost import Costs
from research.training.plan import Plan
from tests.measured import EXPERIMENT, LENGTHS, at, folder, plan
from tests.tiny import EXPERIMENT as TRAINED
from tests.tolerance import BOUNDS, assert_close

BOUND = BOUNDS["float32"]["module"]


def changed(**fields):
  return dataclasses.replace(EXPERIMENT, **fields)


def with_mixer(mixer):
  given = plan("dense")
  model = given.model.copy(parent=None, mixer=mixer)
  return Plan(given.task, model, given.training)


def found(name, metric, where="all"):
  return read_summary(folder()).find(name, slice=where, metric=metric)


def test_a_stream_reads_the_sequence_and_times_its_end():
  made, length = plan("dense"), LAST + 4
  generator = Generator(made)
  given = alone.arguments(made, length)
  stream = generator.stream(given)
  x, mixer = given.x, made.model.mixer
  wanted = mixer.apply(
    {"params": given.parameters}, x, alone.whole(x), deterministic=True
  )
  assert_close(stream.outputs, wanted, level="module")
  # Only the tokens before the last ones are in the cache that is kept.
  assert int(stream.cache["used"][0]) == 4
  assert [int(t[0, 0]) for _, t in stream.tokens] == [*range(4, length)]
  cache = jax.tree.map(np.asarray, stream.cache)
  calls = []
  step = stream.step
  counted = dataclasses.replace(
    stream, step=lambda *args: (calls.append(args[2]), step(*args))[1]
  )
  assert 0 < counted.microseconds(0.0) < math.inf
  assert len(calls) == LAST
  counted.microseconds(0.02)
  assert len(calls) > 2 * LAST and len(calls) % LAST == 0
  # The kept cache survives, and the last step of a turn sees every key.
  for kept, before in zip(
    jax.tree.leaves(stream.cache), jax.tree.leaves(cache), strict=True
  ):
    np.testing.assert_array_equal(kept, before)
  for token in stream.tokens:
    cache, y = step(stream.parameters, cache, token)
  assert_close(y[:, 0], wanted[:, -1], level="module")


def test_one_program_makes_all_tokens_and_all_lengths_if_the_state_is_fixed():
  fixed, growing = (Generator(plan(name)) for name in ("pointwise", "dense"))
  for generator in (fixed, growing):
    for length in LENGTHS:
      generator.stream(alone.arguments(generator.plan, length))
  assert (len(fixed.programs), len(growing.programs)) == (1, 2)
  assert 0 < fixed.seconds < math.inf


def test_differences_are_computed_with_all_digits(monkeypatch):
  monkeypatch.setattr(generation, "is_precise", lambda: False)
  made = plan("pointwise")
  generator = Generator(made)
  generator.stream(alone.arguments(made, 4))
  assert sorted(precise for _, precise in generator.programs) == [False, True]
  texts = {}
  for precise in (False, True):
    with jax.default_matmul_precision("bfloat16"):
      program = alone.compiled(made, 4, precise=precise).call
    texts[precise] = "HIGHEST" in program.as_text().upper()
  assert texts == {False: False, True: True}


def test_the_state_is_counted_for_one_sequence():
  training = dataclasses.replace(EXPERIMENT.training, batch=3)
  given = dataclasses.replace(plan("dense"), training=training)
  # Keys and values; position and segment of each token; how many there are.
  assert state_bytes(given, 16) == 4 * (2 * 16 * 4 + 2 * 16 + 1)
  assert state_bytes(plan("pointwise"), 16) == 0


def test_what_is_not_causal_generates_nothing(monkeypatch):
  monkeypatch.setattr(measuring, "TURN", 0.0)
  full = with_mixer(Attention(mask=Full(), evaluation="dense"))
  (one,) = measure({"full": full}, (4,), generation=True)["full"]
  assert one.generated is None
  metrics = {row.metric for row in rows_of("full", [one])}
  assert not metrics & {MICROSECONDS, STATE_BYTES, GENERATION_EXPONENT}


def test_what_was_not_run_at_once_still_generates(monkeypatch):
  monkeypatch.setattr(measuring, "TURN", 0.0)
  monkeypatch.setattr(measuring, "MOST_BYTES", -1)
  plans = {name: plan(name) for name in ("dense", "blocks")}
  same = (("dense", "blocks"),)
  made = measure(plans, (4,), generation=True, same=same)
  (one,) = made["blocks"]
  assert all(map(math.isnan, one.milliseconds))
  assert all(0 < time < math.inf for time in one.generated.microseconds)
  assert math.isnan(one.generated.difference)
  assert all(map(math.isnan, one.difference))
  assert made["dense"][0].difference is None


def test_forms_get_the_same_parameters_and_inputs(monkeypatch):
  given = {}

  def turn(program, arguments):
    given.setdefault(len(given), arguments)
    return 1.0

  monkeypatch.setattr(measuring, "_milliseconds", turn)
  measure(
    {"pointwise": plan("pointwise"), "again": plan("pointwise")},
    (4,),
    same=(("again", "pointwise"),),
  )
  assert given[0] is given[1]


def test_a_difference_is_relative_to_the_largest_number():
  reference = (np.array([1.0, -4.0]), {"a": np.array([2.0]), "b": np.zeros(2)})
  actual = (np.array([1.1, -4.0]), {"a": np.array([1.5]), "b": np.zeros(2)})
  assert difference(actual, reference) == pytest.approx((0.025, 0.25))
  most = sys.float_info.max
  assert largest(np.ones(2), np.zeros(2)) == most
  assert largest([np.ones(2), np.array([math.nan])], [np.ones(2)] * 2) == most
  assert largest({}, {}) == 0.0


def test_forms_that_agree_and_streams_do_so_in_a_run():
  for length in LENGTHS:
    where = f"length={length}"
    assert found("blocks", DIFFERENCE, where).mean <= BOUND
    assert found("blocks", GRADIENT_DIFFERENCE, where).mean <= 4 * BOUND
    for name in EXPERIMENT.names():
      row = found(name, STREAM_DIFFERENCE, where)
      assert 0 <= row.mean <= BOUND and len(row.values) == 1
  whole = [found("blocks", DIFFERENCE, f"length={n}").mean for n in LENGTHS]
  assert found("blocks", DIFFERENCE).mean == max(whole)
  assert found("dense", DIFFERENCE) is None
  same, token, grows = read_summary(folder()).verdicts[-3:]
  assert (same.verdict, token.verdict, grows.verdict) == (
    "holds", "refuted", "holds"
  )  # fmt: skip
  assert (
    token.seeds == len(found("dense", GENERATION_EXPONENT).values) == ROUNDS
  )


def test_what_was_not_compared_is_undecided():
  rows = [
    dataclasses.replace(row, mean=math.nan, values=(math.nan,))
    if row.metric == DIFFERENCE
    else row
    for row in read_summary(folder()).rows
  ]
  (same,) = (
    one for one in judge(EXPERIMENT, rows).verdicts if one.claim == "same"
  )
  assert (same.verdict, same.seeds_needed) == ("undecided", None)


def test_a_form_that_differs_is_found(monkeypatch):
  monkeypatch.setattr(measuring, "TURN", 0.0)
  plans = {
    "causal": plan("dense"),
    "full": with_mixer(Attention(mask=Full(), evaluation="dense")),
  }
  made = measure(plans, (4,), same=(("causal", "full"),))["full"]
  assert min(made[0].difference) > 0.01


def test_rows_of_generation_and_differences():
  made = [
    Measured(
      n, Costs(1, n, 1.0), n, 0.5, (1.0, 1.0),
      Generated(8 * n, (n * 1.0, n**2 * 1.0), 1.0 / n), Difference(*gap),
    )
    for n, gap in ((4, (0.1, 0.3)), (8, (0.2, 0.1)), (16, (math.nan,) * 2))
  ]  # fmt: skip
  rows = {(row.slice, row.metric): row for row in rows_of("a", made)}
  assert len(rows) == 3 * 7 + 6
  assert rows["length=8", MICROSECONDS].values == (8.0, 64.0)
  assert rows["length=8", STATE_BYTES].values == (64.0,)
  assert rows["length=8", STREAM_DIFFERENCE].mean == 0.125
  assert rows["length=4", GRADIENT_DIFFERENCE].mean == 0.3
  assert math.isnan(rows["length=16", DIFFERENCE].mean)
  assert rows["all", GENERATION_EXPONENT].values == pytest.approx((1.0, 2.0))
  assert rows["all", STREAM_DIFFERENCE].values == (0.25,)
  assert rows["all", DIFFERENCE].values == (0.2,)
  assert rows["all", GRADIENT_DIFFERENCE].values == (0.3,)


@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ({"same": (("dense",),)}, r"same = \(\('dense',\),\); allowed: groups of"),
    (
      {"same": (("dense", "blocks"), ("blocks", "pointwise"))},
      "and each variant in one of them",
    ),
    ({"same": (("dense", "block"),)}, "'block'; did you mean blocks"),
    (
      {"same": (("dense", "pointwise"),)},
      "same = .* with other parameters in 'pointwise'; allowed: .* in 'dense'",
    ),
  ],
)
def test_forms_that_cannot_be_the_same_are_refused(fields, message):
  with pytest.raises(ValueError, match=message):
    prepare(changed(claims=(), **fields))


def test_inputs_of_forms_have_one_shape():
  wide = Change("blocks", (("model.width", 8),))
  made = changed(variants=(Change("dense"), wide), claims=())
  with pytest.raises(ValueError, match="with other x in 'blocks'"):
    prepare(made)


@pytest.mark.parametrize(
  "field", [{"generation": True}, {"same": (("first", "second"),)}]
)
def test_what_is_trained_does_not_generate(field):
  (name,) = field
  with pytest.raises(ValueError, match=f"{name} = .* without lengths, where"):
    prepare(dataclasses.replace(TRAINED, **field))


@pytest.mark.parametrize(
  ("left", "allowed"),
  [
    (at("dense", 4, GENERATION_EXPONENT), "temporary_bytes, token_micro"),
    (at("dense", 4, DIFFERENCE), "state_bytes, stream_difference$"),
    (Measure("dense", metric=MICROSECONDS), "memory_exponent, generation_exp"),
    (Measure("full", metric=GENERATION_EXPONENT), "memory_exponent$"),
  ],
)
def test_a_claim_about_a_token_that_is_not_made_is_refused(left, allowed):
  full = Change("full", (("model.mixer", Attention(mask=Full())),))
  claim = Claim("c", "text", left, "one", 0.1)
  variants = (*EXPERIMENT.variants, full)
  with pytest.raises(ValueError, match=f"claim 'c': metric.*{allowed}"):
    prepare(changed(variants=variants, claims=(claim,)))


def test_a_part_has_the_claims_that_can_be_judged():
  def names(*kept):
    part = EXPERIMENT.only(kept)
    return part.same, [claim.name for claim in part.claims]

  assert names("blocks") == ((), [])
  assert names("dense", "blocks") == (
    (("dense", "blocks"),), ["power", "same", "grows"]
  )  # fmt: skip
  assert names("pointwise") == ((), ["time", "token"])
  assert TIME_EXPONENT in {c.right.metric for c in EXPERIMENT.claims[3:4]}
