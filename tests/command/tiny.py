"""A small experiment and its results, for the tests of the command line."""

import dataclasses
import json
import os
import pathlib

from research.attention.layer import Attention
from research.experiment import Change, Claim, Experiment, Measure
from research.mixer import Mixer
from research.models.feed_forward import NoFeedForward
from research.models.sequence import SequenceModel
from research.positions.rotary import Rotary
from research.record import code, to_json
from research.results import Row, Summary, VerdictRow
from research.tasks.labelling import ContextLabelling
from research.training.record import Training


class HalfDone(Mixer):
  """A mixer with a field that has no default."""

  reach: int


class Stack(Mixer):
  """A mixer made of several."""

  parts: tuple[Mixer, ...] = ()


def experiment() -> Experiment:
  """Two variants and a claim; trained in a moment."""
  rotary = Attention(heads=2, position=Rotary())
  return Experiment(
    name="tiny",
    question="Does it run?",
    background="",
    task=ContextLabelling(length=8, distances=(1, 2)),
    model=SequenceModel(layers=1, width=8, feed_forward=NoFeedForward()),
    training=Training(
      steps=4,
      batch=8,
      learning_rates=(1e-2,),
      seeds=2,
      warmup=1,
      evaluate_every=2,
      validation=8,
      test=16,
    ),
    variants=(
      Change("attention"),
      Change("rotary", (("model.mixer", rotary), ("training.steps", 2))),
    ),
    tests=(Change("longer", (("task.length", 16),)),),
    claims=(
      Claim(
        "rotary_helps",
        "Rotary positions help.",
        Measure("rotary"),
        Measure("attention"),
        smallest_effect=0.05,
      ),
    ),
  )


def document(chosen: Experiment) -> dict:
  """What a run writes into `experiment.json`."""
  return {
    "version": 1,
    "scale": chosen.scale,
    "identity": chosen.identity,
    "code": code(chosen),
    "command": "",
    "experiment": to_json(chosen),
  }


def write(folder: pathlib.Path, chosen: Experiment | None = None) -> str:
  """Writes `tiny.json` into a folder; its path."""
  path = folder / "tiny.json"
  path.write_text(json.dumps(document(chosen or experiment())))
  return str(path)


def row(variant: str = "attention", *values: float, **changes: object) -> Row:
  """A row with these values of its seeds."""
  values = values or (0.5, 0.6)
  mean = sum(values) / len(values)
  plain = Row(
    variant=variant,
    task="test",
    slice="all",
    metric="accuracy",
    mean=mean,
    low=mean - 0.1,
    high=mean + 0.1,
    values=tuple(values),
    learning_rate=0.01,
    parameters=100,
    state_size=16,
    flops_per_example=1e3,
    temporary_bytes=1000,
    compile_seconds=1.0,
    train_seconds=2.0,
    examples_per_second=3.0,
    steps=4,
  )
  return dataclasses.replace(plain, **changes)


def verdict(word: str = "holds", claim: str = "rotary_helps") -> VerdictRow:
  """A verdict with this word."""
  return VerdictRow(
    claim, word, 0.2, 0.1, 0.3, "Rotary positions help.", 0.05, "seed", 5, None
  )


def summary(*rows: Row, verdicts: tuple[VerdictRow, ...] = ()) -> Summary:
  """The results of a run."""
  return Summary(tuple(rows), verdicts)


def environment() -> dict[str, str]:
  """Lets a process of its own import the project from anywhere."""
  root = str(pathlib.Path(__file__).resolve().parents[2])
  return {**os.environ, "PYTHONPATH": root, "COLUMNS": "80"}
