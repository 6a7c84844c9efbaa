"""The record of an experiment as text, and the costs of its variants."""

import inspect
import textwrap
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp

from research.attention.layer import Attention
from research.command.overrides import BASE
from research.experiment import Experiment, Variant
from research.import_paths import import_path
from research.lengths import alone
from research.models.encoder_decoder import EncoderDecoder
from research.plots.readable import count, short
from research.preparation import prepare
from research.record import is_record, names, walk
from research.training.cost import costs
from research.training.plan import Plan, plan
from research.training.programs import compile_programs


def experiment_lines(experiment: Experiment, width: int) -> Iterator[str]:
  """The record of the base, what the variants change, tests and claims."""
  yield f"{experiment.name} ({experiment.scale}), {experiment.identity}"
  yield from textwrap.wrap(experiment.question, width)
  if experiment.lengths:
    also = ", and token by token" if experiment.generation else ""
    listed = _listed(experiment.lengths)
    yield from ("", f"timed alone at lengths {listed}{also}")
    for first, *others in experiment.same:
      yield f"{', '.join(others)} must agree with {first}"
    for path in ("model.mixer", "model.width", "model.precision"):
      yield from tree(path, getattr(experiment.model, path.split(".")[1]))
    yield from tree("training.batch", experiment.training.batch)
  else:
    for part in BASE:
      yield ""
      yield from tree(part, getattr(experiment, part))
  yield ""
  yield "variants"
  for change in experiment.variants:
    path = f"variants.{change.name}"
    yield f"  {path}" + ("" if change.fields else " = the base")
    for field, value in change.fields:
      yield from tree(f"{path}.{field}", value, "    ")
  if experiment.tests:
    yield from ("", "test tasks")
  for change in experiment.tests:
    fields = [f"{path} = {_shown(value)}" for path, value in change.fields]
    yield f"  {change.name}: {', '.join(fields)}"
  if experiment.claims:
    yield from ("", "claims")
  for claim in experiment.claims:
    yield from textwrap.wrap(
      f"{claim.name}: {claim.text} (smallest effect {claim.smallest_effect:g})",
      width,
      initial_indent="  ",
      subsequent_indent="    ",
    )


def variant_lines(variant: Variant) -> Iterator[str]:
  """The whole record of one variant."""
  for i, part in enumerate(BASE):
    yield from [""] * (i > 0)
    yield from tree(f"variants.{variant.name}.{part}", getattr(variant, part))


def tree(path: str, value: Any, indent: str = "") -> Iterator[str]:
  """`path = value` for a field, and below it those of the record in it."""
  yield f"{indent}{path} = {_shown(value)}"
  if is_record(value):
    for name in names(value):
      inner = getattr(value, name)
      yield from tree(f"{path}.{name}", inner, indent + "  ")
  elif isinstance(value, tuple) and any(is_record(item) for item in value):
    for i, item in enumerate(value):
      yield from tree(f"{path}.{i}", item, indent + "  ")


def _shown(value: Any) -> str:
  """A value as it is typed, a record by its class."""
  if is_record(value):
    return type(value).__name__
  if inspect.isfunction(value):
    return import_path(value)
  if isinstance(value, tuple):
    return " ".join(map(_shown, value)) or "()"
  return str(value) if str(value) else "''"


def print_costs(experiment: Experiment, names: list[str]) -> None:
  """A line for each variant, as soon as it is known."""
  size = max(len(name) for name in [*names, "variant"])
  last = experiment.lengths[-1] if experiment.lengths else 0
  if last:
    print(f"The mixer alone at length {last:,}, forward and backward:")
  print(f"{'variant':{size}}  parameters  state  FLOPs/example", flush=True)
  for name in names:
    if last:
      counted = alone.counted(_alone(experiment, name), last)
    else:
      counted = costs(_plan(experiment, name))
    print(
      f"{name:{size}}  {counted.parameters:10,}  "
      f"{short(counted.state_size):>5}  "
      f"{short(counted.flops_per_example):>13}",
      flush=True,
    )


def print_memory(experiment: Experiment, name: str) -> None:
  """The temporary memory of a variant's programs, which are compiled."""
  if experiment.lengths:
    ready = _alone(experiment, name)
    for length in experiment.lengths:
      memory = alone.temporary_bytes(ready, length)
      print(f"{_bytes(memory)} of temporary memory at length {length:,}")
    return
  training = experiment.variant(name).training
  members = training.seeds * len(training.learning_rates)
  memory = compile_programs(_plan(experiment, name), {}).temporary_bytes
  trained = count(members, "member")
  print(f"{_bytes(memory)} of temporary memory to train {trained}")


def _alone(experiment: Experiment, name: str) -> Plan:
  """A variant whose mixer is timed alone."""
  return prepare(experiment.only((name,)))[name]


def _listed(lengths: tuple[int, ...]) -> str:
  return ", ".join(f"{length:,}" for length in lengths)


def print_forms(variant: Variant, lengths: tuple[int, ...] = ()) -> None:
  """How each attention of a variant is evaluated at its length, and why."""
  length = lengths[-1] if lengths else variant.task.length
  read = _read(variant)
  for path, part in walk(variant.model, "model"):
    if isinstance(part, Attention):
      # An encoder and its decoder have the source between them.
      queries = read if path.startswith("model.encoder.") else length
      reads = path.startswith(("model.encoder.", "model.decoder.cross"))
      form, why = part.choice(queries, read if reads else length)
      print(f"{path} is evaluated as {form!r} ({why})")


def _read(variant: Variant) -> int:
  """How many elements of the source are encoded, behind the front end.

  0 where there is no encoder. By the shapes alone.
  """
  if not isinstance(variant.model, EncoderDecoder):
    return 0
  model, task = variant.model, variant.task

  def shortened() -> Any:
    key = jax.random.key(0)
    inputs, places = task.batch(jax.random.split(key, 1)).source
    x = jnp.zeros((*inputs.shape[:2], model.width))
    return model.front.init_with_output(key, x, places)[0]

  x, _ = jax.eval_shape(shortened)
  return x.shape[1]


def _plan(experiment: Experiment, name: str) -> Plan:
  variant = experiment.variant(name)
  try:
    return plan(variant.task, variant.model, variant.training)
  except (ValueError, NotImplementedError) as error:
    raise ValueError(f"variant {name!r}: {error}") from error


def _bytes(number: int | float) -> str:
  for unit in ("B", "KiB", "MiB"):
    if number < 999.5:
      return f"{number:.0f} {unit}"
    number /= 1024
  return f"{number:.1f} GiB"
