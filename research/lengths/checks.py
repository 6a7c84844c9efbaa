"""What is wrong with an experiment that times mixers alone."""

import itertools
from collections.abc import Mapping
from typing import Any

import jax

from research.experiment import (
  BYTES,
  BYTES_EXPONENT,
  DIFFERENCE,
  GENERATION_EXPONENT,
  GRADIENT_DIFFERENCE,
  MICROSECONDS,
  MILLISECONDS,
  STATE_BYTES,
  STREAM_DIFFERENCE,
  TIME_EXPONENT,
  Experiment,
  Measure,
  Variant,
)
from research.lengths.alone import check, shapes
from research.lengths.generation import empty
from research.models.sequence import SequenceModel
from research.record import names
from research.tasks.base import Task
from research.training.plan import Plan
from research.training.record import Training

_PLAIN = {"task": Task(), "model": SequenceModel(), "training": Training()}
_USED = {
  "task": (),
  "model": ("mixer", "width", "precision"),
  "training": ("batch",),
}
"""What tells how mixers are timed alone; all else stays as it is in these."""
_UNKNOWN = {
  "timed": False, "slopes": False, "gradients": False, "alignment": False,
  "tests": (), "bounds": (), "difficulty": "",
}  # fmt: skip
"""What has no meaning where nothing is trained."""
_ALONE = {"generation": False, "same": ()}
"""What has no meaning where something is."""


def check_lengths(experiment: Experiment) -> None:
  """Refuses what an experiment with lengths, or without, cannot have.

  Raises:
    ValueError: names the field, its value and what is allowed.
  """
  lengths = experiment.lengths
  if lengths and (
    lengths[0] < 1 or any(a >= b for a, b in itertools.pairwise(lengths))
  ):
    raise ValueError(
      f"lengths = {lengths}; allowed: positive numbers, each larger than the "
      "one before"
    )
  unknown, where = (
    (_UNKNOWN, "with lengths, where nothing is trained")
    if lengths
    else (_ALONE, "without lengths, where mixers are trained")
  )
  for name, plain in unknown.items():
    if getattr(experiment, name) != plain:
      raise ValueError(
        f"{name} = {getattr(experiment, name)!r} {where}; allowed: {plain!r}"
      )
  _check_same(experiment)


def timed_alone(experiment: Experiment, variant: Variant) -> Plan:
  """Refuses what would change nothing, and tries the ends of the lengths.

  Raises:
    ValueError: a field that only training reads, or what the mixer refuses.
  """
  for part, used in _USED.items():
    record = getattr(variant, part)
    plain: Any = _PLAIN[part]
    if type(record) is not type(plain):
      raise ValueError(
        f"{part} = {type(record).__name__} with lengths, where nothing is "
        f"trained; allowed: {type(plain).__name__}"
      )
    for name in names(plain):
      value, only = getattr(record, name), getattr(plain, name)
      if name not in used and value != only:
        raise ValueError(
          f"{part}.{name} = {value!r} with lengths, where nothing is trained; "
          f"allowed: {only!r}, the default"
        )
  ready = Plan(variant.task, variant.model, variant.training)
  for length in {experiment.lengths[0], experiment.lengths[-1]}:
    check(ready, length)
    if experiment.generation and ready.model.mixer.causal:
      empty(ready, length)
  return ready


def check_agreeing(experiment: Experiment, plans: Mapping[str, Plan]) -> None:
  """Refuses groups whose variants cannot have the same numbers.

  Raises:
    ValueError: inputs or parameters of other shapes than those of the first.
  """
  for group in experiment.same:
    first, *others = (shapes(plans[n], experiment.lengths[0]) for n in group)
    for name, found in zip(group[1:], others, strict=True):
      for part in ("x", "parameters"):
        if _sizes(getattr(found, part)) != _sizes(getattr(first, part)):
          raise ValueError(
            f"same = {group} with other {part} in {name!r}; allowed: variants "
            f"with parameters and inputs of the shapes in {group[0]!r}"
          )


def check_measure(experiment: Experiment, side: Measure) -> None:
  """Refuses a measure that mixers alone do not have.

  Raises:
    ValueError: names what is wrong, and what is allowed.
  """
  variant = experiment.variant(side.variant)
  if side.task != "test":
    raise ValueError(f"task = {side.task!r} with lengths; allowed: 'test'")
  slices = [f"length={length}" for length in experiment.lengths]
  if side.slice not in ("all", *slices):
    raise ValueError(
      f"slice = {side.slice!r}; allowed: all, {', '.join(slices)}"
    )
  metrics = _metrics(experiment, variant, over_all=side.slice == "all")
  if side.metric not in metrics:
    raise ValueError(
      f"metric = {side.metric!r} of slice {side.slice!r}; "
      f"allowed: {', '.join(metrics)}"
    )


def _metrics(
  experiment: Experiment, variant: Variant, *, over_all: bool
) -> list[str]:
  """What a variant has at one length, or over all of them."""
  found = [TIME_EXPONENT, BYTES_EXPONENT] if over_all else [MILLISECONDS, BYTES]
  if experiment.generation and variant.model.mixer.causal:
    found += [GENERATION_EXPONENT] if over_all else [MICROSECONDS, STATE_BYTES]
    found += [STREAM_DIFFERENCE]
  if any(variant.name in group[1:] for group in experiment.same):
    found += [DIFFERENCE, GRADIENT_DIFFERENCE]
  return found


def _check_same(experiment: Experiment) -> None:
  named = [name for group in experiment.same for name in group]
  for name in named:
    experiment.variant(name)
  twice = len(set(named)) < len(named)
  if twice or any(len(group) < 2 for group in experiment.same):
    raise ValueError(
      f"same = {experiment.same}; allowed: groups of two variants or more, "
      "and each variant in one of them"
    )


def _sizes(tree: Any) -> Any:
  return jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), tree)
