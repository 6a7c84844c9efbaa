"""What is wrong with an experiment, found before anything is trained."""

from collections.abc import Mapping

import jax

from research.experiment import (
  COSTS,
  TIMED,
  Claim,
  Experiment,
  Measure,
  Variant,
)
from research.lengths.checks import (
  check_agreeing,
  check_lengths,
  check_measure,
  timed_alone,
)
from research.record import from_json, suggest, to_json
from research.tasks.base import Task
from research.training.alignment import check_alignment
from research.training.devices import spread
from research.training.measures import SLICED_BY, initial
from research.training.plan import Plan, check_tests, plan
from research.training.slopes import check_slopes
from research.training.written import WRITTEN

_NUMBERS = ("zero", "one", "chance")


def prepare(experiment: Experiment) -> dict[str, Plan]:
  """Checks the whole experiment, variant by variant, without training.

  Raises:
    ValueError: with the name of the variant. Or several processes share a
      run that measures times.
  """
  if jax.process_count() > 1 and (experiment.timed or experiment.lengths):
    raise ValueError(
      f"processes = {jax.process_count()} with timed or lengths; allowed: 1, "
      "as times are those of one process"
    )
  if not experiment.name.replace("_", "").replace("-", "").isalnum():
    raise ValueError(
      f"name = {experiment.name!r}; allowed: letters, digits, '_' and '-', as "
      "a folder is called by it"
    )
  if from_json(to_json(experiment)).identity != experiment.identity:
    raise ValueError(
      f"experiment {experiment.name!r} is not the same when read back; "
      "allowed: records whose classes stand at their import paths"
    )
  _check_tests(experiment)
  check_lengths(experiment)
  plans = {}
  for name in experiment.names():
    try:
      variant = experiment.variant(name)
      if experiment.lengths:
        plans[name] = timed_alone(experiment, variant)
      else:
        plans[name] = _trained(variant, experiment.test_tasks(variant))
        if experiment.slopes:
          check_slopes(plans[name])
        if experiment.alignment:
          check_alignment(plans[name])
    except (ValueError, NotImplementedError) as error:
      raise ValueError(f"variant {name!r}: {error}") from error
  check_agreeing(experiment, plans)
  for claim in experiment.claims:
    _check_claim(experiment, claim)
  return plans


def _trained(variant: Variant, tests: Mapping[str, Task]) -> Plan:
  training = variant.training
  ready = plan(variant.task, variant.model, training)
  check_tests(ready, tests)
  spread(training.seeds * len(training.learning_rates), training.batch)
  return ready


def _check_tests(experiment: Experiment) -> None:
  for change in experiment.tests:
    if change.name in ("test", "train"):
      raise ValueError(
        f"tests has the name {change.name!r}, which every run uses itself; "
        "allowed: another name"
      )
    for path, _ in change.fields:
      if path.split(".")[0] != "task":
        raise ValueError(
          f"test {change.name!r} changes {path!r}; allowed: paths that begin "
          "with task, as the trained model is tested"
        )


def _check_claim(experiment: Experiment, claim: Claim) -> None:
  sides = (claim.left, claim.right)
  if not any(isinstance(side, Measure) for side in sides):
    raise ValueError(
      f"claim {claim.name!r} has the sides {sides}; allowed: one measure at "
      "least"
    )
  if claim.relative and not all(isinstance(side, Measure) for side in sides):
    raise ValueError(
      f"claim {claim.name!r} is relative = True with the sides {sides}; "
      "allowed: two measures"
    )
  numbers = _NUMBERS[:2] if experiment.lengths else _NUMBERS
  for side in sides:
    try:
      if isinstance(side, str):
        if side not in numbers:
          raise ValueError(f"side = {side!r}; {suggest(side, numbers)}")
      elif experiment.lengths:
        check_measure(experiment, side)
      else:
        _check_measure(experiment, side)
    except ValueError as error:
      raise ValueError(f"claim {claim.name!r}: {error}") from error


def _check_measure(experiment: Experiment, side: Measure) -> None:
  """Refuses a measure that no row of the results will have."""
  variant = experiment.variant(side.variant)
  tasks = experiment.test_tasks(variant)
  if variant.training.examples:
    tasks["train"] = variant.task
  if side.task not in tasks:
    raise ValueError(f"task = {side.task!r}; {suggest(side.task, tasks)}")
  task = tasks[side.task]
  writes = task.reads_source and side.task != "train"
  metrics = [task.objective.metric, *(WRITTEN if writes else ())]
  if side.task == "test":
    for name in experiment.measures:
      metrics += [name, initial(name)]
  if side.slice == "all":
    metrics += ["loss"]
    if "accuracy" in metrics and variant.training.target <= 1:
      metrics += ["solved"]
    if side.task == "test":
      metrics += [*COSTS, *([TIMED] if experiment.timed else [])]
  if side.metric not in metrics:
    raise ValueError(
      f"metric = {side.metric!r} of slice {side.slice!r}; "
      f"allowed: {', '.join(metrics)}"
    )
  name, _, value = side.slice.partition("=")
  names = [] if side.slice == "all" else _slices(task, side.metric)
  if side.slice != "all" and not (name in names and value):
    slices = ["all", *(f"{name}=…" for name in names)]
    raise ValueError(f"slice = {side.slice!r}; {suggest(side.slice, slices)}")


def _slices(task: Task, metric: str) -> list[str]:
  """The names that a metric is sliced by: its own, or those of the task."""
  own = SLICED_BY.get(metric.removeprefix(initial("")))
  if own:
    return [own]
  keys = jax.random.split(jax.random.key(0), 1)
  return sorted(jax.eval_shape(task.split("test").batch, keys).slices)
