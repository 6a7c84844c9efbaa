"""Experiments as frozen records: a base, variants made from it, claims."""

import dataclasses
from typing import Any, Literal

from research.models.model import Model
from research.record import identity, override, suggest
from research.tasks.base import Task
from research.training.alignment import ALIGNMENT, MONOTONICITY
from research.training.gradients import GRADIENT
from research.training.measures import initial
from research.training.record import Training
from research.training.slopes import SLOPE
from research.training.written import ERROR_RATE, SEQUENCE_ACCURACY


@dataclasses.dataclass(frozen=True)
class Variant:
  """One whole thing that is trained: nothing about it stands elsewhere."""

  name: str
  task: Task
  model: Model
  training: Training


@dataclasses.dataclass(frozen=True)
class Change:
  """A name, and fields to replace by dotted path, as ("model.mixer", GRU())."""

  name: str
  fields: tuple[tuple[str, Any], ...] = ()


COSTS = ("parameters", "state_size", "flops_per_example", "temporary_bytes")
"""What a variant costs, counted: the same number for every seed."""

TIMED = "step_milliseconds"
"""The metric of an experiment that is `timed`: one number a round."""

MILLISECONDS, BYTES = "milliseconds", "temporary_bytes"
"""What is measured at each of the `lengths` of an experiment."""

TIME_EXPONENT, BYTES_EXPONENT = "time_exponent", "memory_exponent"
"""The powers of the length with which these two grow."""

MICROSECONDS, STATE_BYTES = "token_microseconds", "state_bytes"
"""Of one generated token, and what a sequence carries to the next."""

GENERATION_EXPONENT = "generation_exponent"
"""The power of the length with which the time of a token grows."""

STREAM_DIFFERENCE = "stream_difference"
"""Of outputs made token by token, from those of the whole sequence."""

DIFFERENCE, GRADIENT_DIFFERENCE = "difference", "gradient_difference"
"""Of a variant's numbers, from those of the variant it has to agree with."""

SHARES = (
  "accuracy", SEQUENCE_ACCURACY, ERROR_RATE,
  ALIGNMENT, initial(ALIGNMENT), MONOTONICITY, initial(MONOTONICITY),
)  # fmt: skip
"""The metrics that are shares, of which every example has its own."""

TIMES = (
  TIMED, MILLISECONDS, TIME_EXPONENT, MICROSECONDS, GENERATION_EXPONENT,
)  # fmt: skip
"""The metrics that a clock made: one number a round."""

COUNTS = (
  *COSTS, BYTES_EXPONENT, STATE_BYTES, STREAM_DIFFERENCE, DIFFERENCE,
  GRADIENT_DIFFERENCE,
)  # fmt: skip
"""The metrics that are counted: one number, without chance."""


@dataclasses.dataclass(frozen=True)
class Measure:
  """One number of each seed: a row of the results, or a cost of a variant.

  Attributes:
    metric: "accuracy" or another score of the task, "loss", "solved"; one of
      `COSTS`; `TIMED`; "error_rate" and "sequence_accuracy" of what a task
      with a source has written; one of the experiment's `measures`, or
      "initial_" and its name. Of an experiment with
      `lengths`: "milliseconds", "temporary_bytes", "token_microseconds" or
      "state_bytes" of a slice such as "length=256"; "time_exponent",
      "memory_exponent" or "generation_exponent" of them all; of either,
      "stream_difference", "difference" or "gradient_difference", of "all" the
      largest.
  """

  variant: str
  slice: str = "all"
  task: str = "test"
  metric: str = "accuracy"


@dataclasses.dataclass(frozen=True)
class Claim:
  """A prediction: `left` exceeds `right` by `smallest_effect` or more.

  All of it is fixed before the run. A side is a measure, or (one of them) the
  name of a number: "zero", "one" or "chance". A `relative` difference is a
  share of `right`, as times and counts want it.
  """

  name: str
  text: str
  left: Measure | str
  right: Measure | str
  smallest_effect: float
  relative: bool = False

  @property
  def unit(self) -> Literal["seed", "round", "count"]:
    """What its numbers come in: seeds, rounds of times, or exact counts."""
    sides = (self.left, self.right)
    metrics = {side.metric for side in sides if isinstance(side, Measure)}
    if metrics & {*TIMES}:
      return "round"
    return "count" if metrics <= {*COUNTS} else "seed"


@dataclasses.dataclass(frozen=True)
class Bound:
  """The best score that is possible for a variant on a slice."""

  variant: str
  slice: str
  best: float


@dataclasses.dataclass(frozen=True)
class Experiment:
  """A question and all that is run to answer it.

  Attributes:
    name: of its page and of its folder of results.
    question: in one sentence.
    background: what the literature reports, with sources.
    task, model, training: the base that variants are made from.
    variants: the changes that make them; paths begin with one of the three.
    tests: further test tasks, as changes of the task ("task.length", 128).
    claims: what is predicted.
    bounds: the best possible scores, where they are known.
    difficulty: the slice that figures are drawn over, as "pairs".
    timed: whether training steps of all variants are timed in turn at the
      end.
    slopes: whether it is measured how strongly answers depend on the inputs
      that hold them, before and after training (`training/slopes.py`).
    gradients: whether the gradients of blocks are measured, before and after
      training (`training/gradients.py`).
    alignment: whether it is measured where decoders look in their source,
      before and after training (`training/alignment.py`).
    lengths: the lengths at which the mixers are timed alone, forward and
      backward, instead of being trained; () trains. The task is then
      `Task()`, and of model and training only the mixer, the width, the
      precision and the batch matter.
    generation: whether causal mixers are also timed with one token after
      another, at each of the lengths.
    same: groups of variants with equal parameters that have to agree: those
      of the first are given to all, and the others compared with it, output
      and gradients, at each of the lengths.
    scale: "smoke", "laptop" or "accelerator".
  """

  name: str
  question: str
  background: str
  task: Task
  model: Model
  training: Training
  variants: tuple[Change, ...]
  tests: tuple[Change, ...] = ()
  claims: tuple[Claim, ...] = ()
  bounds: tuple[Bound, ...] = ()
  difficulty: str = ""
  timed: bool = False
  slopes: bool = False
  gradients: bool = False
  alignment: bool = False
  lengths: tuple[int, ...] = ()
  generation: bool = False
  same: tuple[tuple[str, ...], ...] = ()
  scale: str = "laptop"

  def __post_init__(self) -> None:
    for kind in ("variants", "tests", "claims"):
      known = [item.name for item in getattr(self, kind)]
      if len(set(known)) != len(known):
        raise ValueError(f"{kind} = {known}; allowed: different names")
    if not self.variants:
      raise ValueError("variants = (); allowed: at least one")
    for name in self.names():
      if not name.replace("_", "").replace("-", "").isalnum():
        raise ValueError(
          f"variant = {name!r}; allowed: letters, digits, '_' and '-'"
        )

  def names(self) -> list[str]:
    """The names of the variants, in order."""
    return [change.name for change in self.variants]

  def variant(self, name: str) -> Variant:
    """The whole record of one variant.

    Raises:
      ValueError: no such variant, or a change that does not fit the base.
    """
    for change in self.variants:
      if change.name == name:
        base = Variant(name, self.task, self.model, self.training)
        return _changed(base, change)
    raise ValueError(f"variant = {name!r}; {suggest(name, self.names())}")

  def test_tasks(self, variant: Variant) -> dict[str, Task]:
    """The tasks a variant is tested on, by name; "test" is its own."""
    tasks = {"test": variant.task}
    for change in self.tests:
      tasks[change.name] = _changed(variant, change).task
    return tasks

  def only(self, names: tuple[str, ...]) -> "Experiment":
    """The experiment with these variants, their claims and bounds."""
    for name in names:
      self.variant(name)
    kept = tuple(change for change in self.variants if change.name in names)
    same = tuple(
      (first, *rest)
      for first, *others in self.same
      if first in names and (rest := [one for one in others if one in names])
    )
    part = dataclasses.replace(
      self,
      variants=kept,
      claims=(),
      bounds=tuple(bound for bound in self.bounds if bound.variant in names),
      same=same,
    )
    claims = tuple(
      claim
      for claim in self.claims
      if all(
        part.has(side.variant, side.metric)
        for side in (claim.left, claim.right)
        if isinstance(side, Measure)
      )
    )
    return dataclasses.replace(part, claims=claims)

  def has(self, variant: str, metric: str) -> bool:
    """Whether a variant is there, and what it has to agree with."""
    if metric in (DIFFERENCE, GRADIENT_DIFFERENCE):
      return any(variant in group[1:] for group in self.same)
    return variant in self.names()

  @property
  def measures(self) -> tuple[str, ...]:
    """What is measured before and after training, beside scores."""
    asked = {
      SLOPE: self.slopes,
      GRADIENT: self.gradients,
      ALIGNMENT: self.alignment,
      MONOTONICITY: self.alignment,
    }
    return tuple(name for name, wanted in asked.items() if wanted)

  @property
  def identity(self) -> str:
    """Twelve digits that stand for the whole record."""
    return identity(self)


def _changed(variant: Variant, change: Change) -> Variant:
  for path, value in change.fields:
    if path.split(".")[0] not in ("task", "model", "training"):
      raise ValueError(
        f"change {change.name!r} has the path {path!r}; allowed: paths that "
        "begin with task, model or training"
      )
    variant = override(variant, path, value)
  return variant
