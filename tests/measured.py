"""One tiny experiment whose mixers are timed alone, run once for all tests."""

import functools
import pathlib

import pytest

from research.attention.layer import Attention
from research.connected.pointwise import Pointwise
from research.experiment import (
  BYTES,
  BYTES_EXPONENT,
  DIFFERENCE,
  MICROSECONDS,
  MILLISECONDS,
  STATE_BYTES,
  TIME_EXPONENT,
  Change,
  Claim,
  Experiment,
  Measure,
)
from research.models.sequence import SequenceModel
from research.report.write import write_report
from research.run import run
from research.tasks.base import Task
from research.training.plan import Plan
from research.training.record import Training
from tests.reported import place

LENGTHS = (4, 16)
MIXERS = {
  "dense": Attention(evaluation="dense"),
  "blocks": Attention(evaluation="blockwise"),
  "pointwise": Pointwise(),
}


def at(name: str, length: int, metric: str) -> Measure:
  """What is measured of a variant at a length."""
  return Measure(name, f"length={length}", metric=metric)


EXPERIMENT = Experiment(
  name="alone",
  question="What does length cost?",
  background="More than nothing.",
  task=Task(),
  model=SequenceModel(mixer=MIXERS["dense"], width=4),
  training=Training(batch=1),
  variants=(
    Change("dense"),
    Change("blocks", (("model.mixer", MIXERS["blocks"]),)),
    Change("pointwise", (("model.mixer", MIXERS["pointwise"]),)),
  ),
  claims=(
    Claim(
      "power",
      "The memory of dense grows with a power of 1 or more.",
      Measure("dense", metric=BYTES_EXPONENT),
      "one",
      0.0,
    ),
    Claim(
      "bytes",
      "Dense takes twice the memory.",
      at("dense", 16, BYTES),
      at("pointwise", 16, BYTES),
      1.0,
      relative=True,
    ),
    Claim(
      "slower",
      "Dense takes longer by far too much.",
      at("dense", 16, MILLISECONDS),
      at("pointwise", 16, MILLISECONDS),
      1e6,
    ),
    Claim(
      "time",
      "The time of pointwise grows with a power of 100 or less.",
      "zero",
      Measure("pointwise", metric=TIME_EXPONENT),
      -100.0,
    ),
    Claim(
      "same",
      "Blocks give the same numbers.",
      "zero",
      Measure("blocks", metric=DIFFERENCE),
      -1e-5,
    ),
    Claim(
      "token",
      "A token of pointwise takes a second.",
      at("pointwise", 16, MICROSECONDS),
      "zero",
      1e6,
    ),
    Claim(
      "grows",
      "The state of dense is twice as large at 16 as at 4.",
      at("dense", 16, STATE_BYTES),
      at("dense", 4, STATE_BYTES),
      1.0,
      relative=True,
    ),
  ),
  lengths=LENGTHS,
  generation=True,
  same=(("dense", "blocks"),),
  scale="smoke",
)


def plan(name: str) -> Plan:
  """A variant as it is timed."""
  variant = EXPERIMENT.variant(name)
  return Plan(variant.task, variant.model, variant.training)


@functools.cache
def folder() -> pathlib.Path:
  """The run, with its report."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr("research.lengths.measure.TURN", 0.001)
    made = run(EXPERIMENT, out=place() / "alone", command="again").folder
  write_report(made)
  return made
