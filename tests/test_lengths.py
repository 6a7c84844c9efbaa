"""Mixers timed alone: the programs, the turns, the fits, and a whole run."""

import dataclasses
import math
import os
import signal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.experiment import (
  BYTES,
  BYTES_EXPONENT,
  MILLISECONDS,
  TIME_EXPONENT,
  Bound,
  Change,
  Claim,
  Measure,
)
from research.lengths import measure as measuring
from research.lengths.alone import counted, gradients, shapes, temporary_bytes
from research.lengths.exponents import exponent, fitted
from research.lengths.measure import Measured, measure
from research.lengths.rows import rows as rows_of
from research.places import whole
from research.preparation import prepare
from research.results import read_summary
from research.run import Interrupted, run
from research.tasks.recall import MultiQueryRecall
from research.timing import ROUNDS
from research.training.cost import Costs
from tests.measured import EXPERIMENT, LENGTHS, at, folder, plan
from tests.tiny import EXPERIMENT as TRAINED
from tests.tiny import Listener
from tests.tolerance import assert_close


def changed(**fields):
  return dataclasses.replace(EXPERIMENT, **fields)


def test_output_and_both_gradients_are_made():
  made = plan("dense")
  x = jax.random.normal(jax.random.key(1), (1, 4, 4))
  c = jax.random.normal(jax.random.key(2), (1, 4, 4))
  parameters = made.model.mixer.init(jax.random.key(0), x, whole(x))["params"]

  def read(parameters, x):
    y = made.model.mixer.apply({"params": parameters}, x, whole(x))
    return jnp.sum(y * c), y

  y, found = gradients(made)(parameters, x, c)
  expected, same = jax.grad(read, (0, 1), has_aux=True)(parameters, x)
  assert_close(y, same, level="module")
  assert_close(found, expected, level="module", gradient=True)


def test_all_programs_take_turns(monkeypatch):
  order = []

  def turn(program, arguments):
    length = arguments.x.shape[1]
    sizes = [leaf.size for leaf in jax.tree.leaves(arguments.parameters)]
    order.append((sum(sizes), length))
    return float(len(order))

  monkeypatch.setattr(measuring, "_milliseconds", turn)
  plans = {name: plan(name) for name in ("dense", "pointwise")}
  told = []
  found = measure(plans, LENGTHS, lambda *one: told.append(one))
  assert order[:4] * (1 + ROUNDS) == order and len({*order[:4]}) == 4
  assert found["dense"][1].milliseconds == tuple(
    2.0 + 4 * i for i in range(1, ROUNDS + 1)
  )
  assert found["dense"][1].generated is None is found["dense"][1].difference
  assert told[:2] == [
    ("dense", "compiling for length 4"), ("dense", "length 4 takes about 1 ms")
  ]  # fmt: skip
  assert told[-1] == ("", f"round {ROUNDS} of {ROUNDS}")


def test_beyond_a_slow_length_nothing_is_run(monkeypatch):
  monkeypatch.setattr(measuring, "TURN", 0.0)
  monkeypatch.setattr(measuring, "MOST_SECONDS", 0.0)
  told = []
  found = measure(
    {"pointwise": plan("pointwise")}, LENGTHS, lambda *one: told.append(one)
  )
  first, second = found["pointwise"]
  assert all(0 < time < math.inf for time in first.milliseconds)
  assert [*map(math.isnan, second.milliseconds)] == [True] * ROUNDS
  assert second.temporary_bytes == temporary_bytes(plan("pointwise"), 16)
  text = "length 16 is not run, as a shorter one takes more than 0 s"
  assert ("pointwise", text) in told


def test_what_takes_too_much_memory_is_not_run(monkeypatch):
  small, large = (temporary_bytes(plan("dense"), n) for n in LENGTHS)
  assert 0 < small < large
  monkeypatch.setattr(measuring, "MOST_BYTES", small)
  monkeypatch.setattr(measuring, "TURN", 0.0)
  told = []
  found = measure(
    {"dense": plan("dense")}, LENGTHS, lambda *one: told.append(one)
  )
  first, second = found["dense"]
  assert all(0 < time < math.inf for time in first.milliseconds)
  assert second.temporary_bytes == large
  assert [*map(math.isnan, second.milliseconds)] == [True] * ROUNDS
  text = f"length 16 is not run, as it takes {large:,} B"
  assert ("dense", text) in told


def test_a_short_call_is_repeated(monkeypatch, unchecked):
  monkeypatch.setattr(measuring, "TURN", 0.02)
  calls = []
  spent = measuring._milliseconds(calls.append, ("x",))
  assert len(calls) > 1
  assert spent == pytest.approx(20 / len(calls), rel=0.5)


def test_counts_are_those_of_the_length():
  counts = [counted(plan("dense"), n) for n in LENGTHS]
  assert [one.parameters for one in counts] == [4 * 16, 4 * 16]
  assert [one.state_size for one in counts] == [2 * 4 * 4, 2 * 4 * 16]
  # Scores, what they read, and the two gradients of each: six products.
  pairs = [6 * 2 * 4 * n * n for n in LENGTHS]
  rest = [
    one.flops_per_example - p for one, p in zip(counts, pairs, strict=True)
  ]
  assert rest[1] == 4 * rest[0] > 0


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_exponent_of_a_power_law_is_found(power):
  many = [2**i for i in range(5, 15)]
  # Short lengths have another law, which must not be seen.
  values = [3.0 * n**power if n >= 1024 else 7.0 for n in many]
  assert exponent(many, values) == pytest.approx(power)
  few = [64, 128, 1024, 2048]
  assert exponent(few, [n**power for n in few]) == pytest.approx(power)


def test_the_exponent_is_that_of_least_squares():
  many, values = [2, 4, 16], [1.0, 5.0, 6.0]
  slope, _ = np.polyfit(np.log(many), np.log(values), 1)
  assert exponent(many, values) == pytest.approx(slope)


def test_lengths_without_a_value_are_left_out():
  assert fitted([256, 1024, 2048]) == [256, 1024, 2048]
  assert fitted([256, 1024, 2048, 4096]) == [1024, 2048, 4096]
  some = exponent([1024, 2048, 4096, 8192], [1.0, 4.0, math.nan, 0.0])
  assert some == pytest.approx(2.0)
  # A long length that was not run does not bring the short ones back.
  fewer = exponent([256, 1024, 2048, 4096], [1.0, 1.0, 4.0, math.nan])
  assert fewer == pytest.approx(2.0)
  assert math.isnan(exponent([1, 2], [1.0, math.nan]))


def test_rows_have_a_value_a_round_and_counts_one():
  made = [
    Measured(n, Costs(1, n, 2.0 * n), 5 * n, 0.5, (n * 1.0, n**2 * 1.0))
    for n in (4, 8, 16)
  ]
  rows = {(row.slice, row.metric): row for row in rows_of("a", made)}
  assert len(rows) == 8
  time, memory = rows["length=8", MILLISECONDS], rows["length=8", BYTES]
  assert time.values == (8.0, 64.0) and time.low < time.mean == 36.0 < time.high
  assert (memory.low, memory.mean, memory.high) == (40.0,) * 3
  assert (memory.state_size, memory.temporary_bytes) == (8, 40)
  assert memory.values == (40.0,) and memory.compile_seconds == 0.5
  powers = rows["all", TIME_EXPONENT]
  assert powers.values == pytest.approx((1.0, 2.0))
  assert (powers.state_size, powers.compile_seconds) == (16, 1.5)
  assert rows["all", BYTES_EXPONENT].values == pytest.approx((1.0,))


def test_a_run_measures_and_trains_nothing():
  made = folder()
  assert not (made / "metrics.jsonl").exists()
  assert not [*(made / "parameters").iterdir()]
  summary = read_summary(made)
  # A call and a stream; and for blocks the differences from dense.
  assert len(summary.rows) == 3 * (5 * len(LENGTHS) + 4) + 2 * len(LENGTHS) + 2
  power, memory, slower, time, *_ = summary.verdicts
  assert [one.unit for one in summary.verdicts] == [
    "count", "count", "round", "round", "count", "round", "count"
  ]  # fmt: skip
  rows = {
    name: summary.find(name, slice="length=16", metric=BYTES)
    for name in EXPERIMENT.names()
  }
  ratio = rows["dense"].mean / rows["pointwise"].mean
  assert memory.estimate == pytest.approx(ratio - 1)
  assert memory.low == memory.estimate == memory.high
  slope = summary.find("dense", metric=BYTES_EXPONENT).mean
  assert power.estimate == pytest.approx(slope - 1)
  assert (slower.verdict, slower.seeds) == ("refuted", ROUNDS)
  assert (time.verdict, time.seeds) == ("holds", ROUNDS)
  assert time.low < time.estimate < time.high


def test_a_run_that_was_stopped_begins_again(tmp_path, monkeypatch):
  monkeypatch.setattr(measuring, "TURN", 0.0)
  part, out = EXPERIMENT.only(("pointwise",)), tmp_path / "run"
  stop = Listener(2, lambda: os.kill(os.getpid(), signal.SIGINT), "note")
  with pytest.raises(Interrupted):
    run(part, out=out, progress=stop)
  assert len(stop.notes) == 2
  listener = Listener()
  assert run(part, out=out, progress=listener).summary.rows
  assert listener.notes[:2] == stop.notes[:1] + listener.notes[1:2]
  assert len(listener.notes) == 3 * len(LENGTHS) + ROUNDS


def test_what_is_measured_is_prepared():
  model = EXPERIMENT.model.copy(parent=None, width=3, precision="bfloat16")
  training = dataclasses.replace(EXPERIMENT.training, batch=2)
  plans = prepare(changed(model=model, training=training))
  assert [*plans] == EXPERIMENT.names()
  x = shapes(plans["dense"], 4).x
  assert (x.shape, x.dtype) == ((2, 4, 3), jnp.bfloat16)


@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ({"lengths": (4, 4)}, r"lengths = \(4, 4\); allowed: positive numbers"),
    ({"lengths": (8, 4)}, "each larger than the one before"),
    ({"lengths": (0, 4)}, r"lengths = \(0, 4\)"),
    ({"timed": True}, "timed = True with lengths"),
    ({"slopes": True}, "slopes = True with lengths"),
    ({"tests": (Change("x"),)}, "tests = .* with lengths"),
    ({"bounds": (Bound("dense", "all", 1.0),)}, "bounds = .* with lengths"),
    ({"difficulty": "x"}, "difficulty = 'x' with lengths"),
    ({"task": MultiQueryRecall()}, "task = MultiQueryRecall .* allowed: Task"),
    (
      {"training": dataclasses.replace(EXPERIMENT.training, seeds=5)},
      "variant 'dense': training.seeds = 5 with lengths, .* allowed: 3, the",
    ),
    (
      {"model": EXPERIMENT.model.copy(parent=None, layers=3)},
      "variant 'dense': model.layers = 3 with lengths, .* allowed: 2, the",
    ),
  ],
)  # fmt: skip
def test_what_cannot_be_measured_is_refused(fields, message):
  made = changed(**{"claims": (), **fields})
  with pytest.raises(ValueError, match=message):
    prepare(made)


def test_a_length_that_the_mixer_refuses_is_told():
  odd = Change("odd", (("model.mixer.heads", 3),))
  with pytest.raises(ValueError, match="variant 'odd': heads = 3 does not"):
    prepare(changed(variants=(odd,), claims=(), same=()))


@pytest.mark.parametrize(
  ("left", "right", "message"),
  [
    (Measure("dense"), "one", "metric = 'accuracy' .* allowed: time_exponent"),
    (Measure("dense", metric="loss"), "one", "metric = 'loss'"),
    (Measure("dense", metric="parameters"), "one", "metric = 'parameters'"),
    (
      at("dense", 4, TIME_EXPONENT), "one",
      "metric = 'time_exponent' of slice 'length=4'; allowed: milliseconds",
    ),
    (at("dense", 5, BYTES), "one", "slice = 'length=5'; allowed: all, length"),
    (Measure("dense", task="train"), "one", "task = 'train' with lengths"),
    (Measure("dens"), "one", "'dens'; did you mean dense"),
    (at("dense", 4, BYTES), "chance", "side = 'chance'; allowed: one, zero"),
  ],
)  # fmt: skip
def test_a_claim_about_what_is_not_measured_is_refused(left, right, message):
  claim = Claim("c", "text", left, right, 0.1)
  with pytest.raises(ValueError, match=f"claim 'c': .*{message}"):
    prepare(changed(claims=(claim,)))


@pytest.mark.parametrize(
  "metric", [MILLISECONDS, TIME_EXPONENT, BYTES_EXPONENT]
)
def test_what_is_trained_has_no_times_by_length(metric):
  claim = Claim("c", "text", Measure("first", metric=metric), "one", 0.1)
  with pytest.raises(ValueError, match=f"metric = '{metric}'.*accuracy"):
    prepare(dataclasses.replace(TRAINED, claims=(claim,)))
