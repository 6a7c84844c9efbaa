"""How the numbers of a report came about: what was run, on what, how again."""

import dataclasses
import inspect
import math
from collections.abc import Mapping, Sequence
from typing import Any

from research.experiment import Experiment
from research.import_paths import import_path
from research.plots.readable import NONE, count, rate, seconds
from research.record import is_record, names
from research.report.document import Block, Code, Facts, Links, Text
from research.statistics.verdict import FEWEST_SEEDS
from research.timing import ROUNDS
from research.training.alignment import ALIGNMENT, MONOTONICITY
from research.training.gradients import GRADIENT
from research.training.slopes import SLOPE

FILES = (
  ("summary.json", "all numbers and verdicts"),
  ("summary.csv", "the same numbers as a table"),
  ("metrics.jsonl", "the learning curves, one line an evaluation"),
  ("experiment.json", "everything that defines the run"),
  ("environment.json", "versions, machine and device"),
  ("report.md", "this page in Markdown"),
)


def what_was_run(experiment: Experiment) -> tuple[Block, ...]:
  """Task, model, training and variants, in words and in full."""
  training = experiment.training
  rates = ", ".join(map(rate, training.learning_rates))
  rule = {
    "validation": "the best mean score on validation examples",
    "test": "THE BEST MEAN SCORE ON THE TEST EXAMPLES, as a protocol has it",
  }[training.selection]
  data = training.examples or "fresh ones at every step"
  facts = [
    ("Scale", experiment.scale),
    ("Sweep", f"{sweep(experiment)}: {rates}; each variant has its own best"),
    ("Learning rate", f"chosen by {rule}"),
    ("Budget", f"{training.steps:,} steps of {training.batch} examples"),
    ("Training examples", f"{data}"),
    ("Test examples", f"{training.test:,} fresh ones"),
  ]
  variants = [
    (change.name, changes(change.fields)) for change in experiment.variants
  ]
  tests = [(test.name, changes(test.fields)) for test in experiment.tests]
  return (
    Facts(tuple(facts)),
    Text("Variants, as changes of the base below:"),
    Facts(tuple(variants)),
    *((Text("Further test tasks:"), Facts(tuple(tests))) if tests else ()),
    *(
      Code("\n".join((type(record).__name__, *outline(record, 1))), title)
      for title, record in (
        ("Task", experiment.task),
        ("Model", experiment.model),
        ("Training", experiment.training),
      )
    ),
  )


_MEASURES = {
  SLOPE: "log₁₀ of the norm of the gradient of the right answer’s output "
  "(before the softmax) with respect to the embedded input that holds the "
  "answer, over that with respect to the input that asks. 0: both count "
  "alike; −3: a thousandth; about −38: nothing that float32 can hold.",
  GRADIENT: "log₁₀ of the norm of the loss’s gradient with respect to all "
  "numbers of a block, over one batch. Block 1 is next to the input.",
  ALIGNMENT: "the share of a cross-attention’s weights, mean over its heads, "
  "that lies on the part of the source that the token to be written is made "
  "from. Layer 1 is next to the input.",
  MONOTONICITY: "the share of tokens, from the second on, that are sought no "
  "further left in the source than the one before, by the centres of the "
  "weights of a cross-attention, mean over its heads; less than a thousandth "
  "of a position to the left is nothing.",
}


def measure_defined(experiment: Experiment, measure: str) -> Text:
  """What a measure is that is taken before and after training."""
  return Text(
    f"{measure.capitalize()}, after training, and initial {measure}, before "
    f"it: {_MEASURES[measure]} Measured on at most "
    f"{experiment.training.validation:,} test examples."
  )


def outline(record: Any, depth: int = 0) -> list[str]:
  """A record as lines, one a field; records inside it further in."""
  lines = []
  for name in names(record):
    value = getattr(record, name)
    inner = is_record(value)
    text = type(value).__name__ if inner else describe(value)
    lines.append(f"{'  ' * depth + name:<26}{text}".rstrip())
    if inner:
      lines += outline(value, depth + 1)
  return lines


def describe(value: Any) -> str:
  """A value in one line; of records only what is not the default."""
  if isinstance(value, tuple):
    return f"({', '.join(map(describe, value))})"
  if inspect.isfunction(value):
    return import_path(value)
  if not is_record(value):
    return f"{value:g}" if isinstance(value, float) else str(value)
  fields = {field.name: field for field in dataclasses.fields(value)}
  told = [
    f"{name}={describe(getattr(value, name))}"
    for name in names(value)
    if getattr(value, name) != _default(fields[name])
  ]
  return f"{type(value).__name__}({', '.join(told)})"


def _default(field: dataclasses.Field) -> Any:
  make = field.default_factory
  return make() if callable(make) else field.default


def changes(fields: Sequence[tuple[str, Any]]) -> str:
  """What a variant changes, in one line."""
  if not fields:
    return "the base itself"
  return "; ".join(f"{path} = {describe(value)}" for path, value in fields)


def sweep(experiment: Experiment) -> str:
  """Seeds × learning rates; or lengths × rounds, where nothing is trained."""
  if experiment.lengths:
    return f"{count(len(experiment.lengths), 'length')} × {ROUNDS} rounds"
  training = experiment.training
  rates = count(len(training.learning_rates), "learning rate")
  return f"{count(training.seeds, 'seed')} × {rates}"


def machine(environment: Mapping[str, Any]) -> Facts:
  """What it was run on."""

  def join(*keys: str) -> str:
    return ", ".join(f"{key} {said(environment, key)}" for key in keys)

  commit = said(environment, "commit")
  changed = " with changes that were not committed"
  return Facts(
    (
      ("Device", f"{said(environment, 'devices')} × "
       f"{said(environment, 'device')} ({said(environment, 'backend')})"),
      ("Processor", f"{said(environment, 'processor')}, "
       f"{said(environment, 'cores')} cores"),
      ("System", f"{said(environment, 'platform')}, "
       f"Python {said(environment, 'python')}"),
      ("Libraries", join("jax", "jaxlib", "flax", "optax", "numpy")),
      ("mixerlab", f"{said(environment, 'mixerlab')}, commit {commit}"
       f"{changed if environment.get('dirty') else ''}"),
      ("Date", said(environment, "date")),
      ("Time", seconds(number(environment.get("seconds")))),
    )
  )  # fmt: skip


def certainty(experiment: Experiment) -> tuple[Block, ...]:
  """How intervals and verdicts are made."""
  seeds = experiment.training.seeds
  few = (
    f" This run has {seeds}, so that every claim is undecided."
    if seeds < FEWEST_SEEDS
    else ""
  )
  return (
    Text(
      "Intervals of means are 95% intervals of Student’s t over the seeds, "
      "those of shares never narrower than the binomial interval of the test "
      "examples; those of the share of solved seeds are Wilson’s. A seed sets "
      "the first parameters and all examples."
    ),
    Text(
      "A claim, its measure and the smallest effect that matters are fixed "
      "before the run. It holds if the whole interval of the paired "
      "difference over the same seeds lies at or above the smallest effect, "
      "is refuted if the whole interval lies below it, and is undecided "
      f"otherwise, and always with fewer than {FEWEST_SEEDS} seeds.{few}"
    ),
    *(
      [
        Text(
          f"Milliseconds of a step are those of {ROUNDS} rounds in which all "
          "variants took turns in one process; their intervals say nothing "
          "about another process or machine. Counted costs are compared "
          "exactly."
        )
      ]
      if experiment.timed
      else []
    ),
    Text(
      "Where seeds either solve the task or miss it, intervals of a mean over "
      "few seeds are too narrow; read the solved seeds beside it. Every "
      "interval and verdict stands alone: they are not corrected for their "
      "number."
    ),
  )


def again(
  experiment: Experiment, about: Mapping[str, Any]
) -> tuple[Block, ...]:
  """The command, the identity and the files."""
  command = about.get("command") or "python -m experiments run experiment.json"
  identity = about.get("identity", experiment.identity)
  without = "metrics.jsonl" if experiment.lengths else ""
  return (
    Code(command),
    Facts(
      (("Identity of the record", f"{identity} (the beginning of its hash)"),)
    ),
    Links(tuple(file for file in FILES if file[0] != without)),
  )


def said(environment: Mapping[str, Any], key: str) -> str:
  """An entry of `environment.json`, or a dash."""
  value = environment.get(key)
  return NONE if value in (None, "") else str(value)


def number(value: Any) -> float:
  """A number, or NaN."""
  return float(value) if isinstance(value, int | float) else math.nan
