"""Where a trained model looked in a test example, made ready for a page."""

import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from research.command import attended_pair as pair
from research.comparison import Comparison, check_trained
from research.experiment import Experiment, Variant
from research.models.encoder_decoder import EncoderDecoder
from research.places import gather
from research.plots.readable import count
from research.report.maps import Attended, Element, Layer
from research.tasks.base import Example, Task
from research.training.member import root
from research.training.plan import fit
from research.training.step import example_keys

_DIGITS = 4  # of the outputs that are shown of a regression


def attended(
  comparison: Comparison, name: str, seed: int, number: int
) -> Attended:
  """The maps of one variant and seed for one of its test examples.

  Args:
    comparison: a finished run.
    name: of the variant.
    seed: whose parameters and test examples.
    number: of the example, as the test counted.

  Raises:
    ValueError: no such variant, seed or example, no attention in it, or
      nothing was trained.
  """
  check_trained(comparison.experiment)
  variant = comparison.experiment.variant(name)
  _check(comparison.experiment, variant, number)
  model, variables = comparison.model(name, seed)
  variables = jax.tree.map(jnp.asarray, variables)
  task = variant.task.split("test")
  keys = example_keys(root(jnp.uint32(seed), "test"), jnp.asarray([number]))
  batch = task.batch(keys)
  if isinstance(model, EncoderDecoder):
    found = _of_pair(task, model, variables, batch)
    stacks = model.encoder.layers, model.decoder.layers
    depth = "encoder layers {}, decoder layers {}".format(*stacks)
  else:
    found = _of_one(task, model, variables, batch)
    depth = f"layers {len(found['layers'])}"
  heads = ", ".join(
    sorted({str(len(layer.weights)) for layer in found["layers"]}, key=int)
  )
  return Attended(
    title=f"{comparison.experiment.name}: {name}",
    headline=f"Where {name} looks",
    facts=(
      f"{type(task).__name__}, length {task.length}",
      f"test example {number} of {variant.training.test}, from 0",
      f"seed {seed}",
      f"{depth}, heads {heads}",
      f"experiment {comparison.experiment.identity}",
    ),
    **found,
  )


def _of_one(
  task: Task, model: Any, variables: Any, batch: Example
) -> dict[str, Any]:
  """Notes, elements and layers of a model over one sequence."""
  # Without `at`: the last layer would weigh for the scored positions alone.
  outputs, sown = model.apply(
    variables, batch.inputs, batch.places, mutable=["intermediates"]
  )
  elements = _elements(task, batch, outputs)
  return {
    "notes": _notes(task, batch, outputs, elements),
    "elements": elements,
    "layers": layers(jax.tree.map(np.asarray, sown)),
  }


def _of_pair(
  task: Task, model: EncoderDecoder, variables: Any, batch: Example
) -> dict[str, Any]:
  """The same of an encoder–decoder, and what else it reads."""
  outputs, sown, places = pair.looked(model, variables, batch)
  answers = _answers(task, batch, outputs)
  elements, read = pair.target_elements(task, batch, answers)
  true = pair.spans(batch, places, len(elements))
  written = pair.written_note(task, model, variables, batch)
  found = {
    "notes": (
      *written,
      "Below, each token is predicted from the true ones before it.",
      *_notes(task, batch, outputs, elements),
    ),
    "elements": elements,
    "layers": tuple(
      pair.with_sides(layer, true)
      for layer in layers(jax.tree.map(np.asarray, sown))
    ),
    "read": read,
    "source": pair.source_elements(task, batch, places, elements),
  }
  return pair.without_padding(found)


def _has_maps(variant: Variant) -> bool:
  """Whether its model leaves weights behind; nothing is computed."""
  model, task = fit(variant.model, variant.task), variant.task

  def sow() -> Any:
    batch = task.batch(jax.random.split(jax.random.key(0), 1))
    variables = model.init(jax.random.key(0), **batch.given())
    kept = {"params": variables.get("params", {})}
    return _sown(
      model.apply(kept, **batch.given(), mutable=["intermediates"])[1]
    )

  return bool(jax.eval_shape(lambda: [weights for _, weights in sow()]))


def _check(experiment: Experiment, variant: Variant, number: int) -> None:
  last = variant.training.test - 1
  if not 0 <= number <= last:
    raise ValueError(f"example = {number}; allowed: 0 to {last}")
  if not _has_maps(variant):
    names = experiment.names()
    able = [name for name in names if _has_maps(experiment.variant(name))]
    raise ValueError(
      f"variant = {variant.name!r} has no attention maps; allowed: "
      + (", ".join(able) or "none of this run has any")
    )


def _sown(tree: Any) -> list[tuple[tuple[str, ...], Any]]:
  """The weights [b h t s] of every call, with the paths of their modules.

  Those of blocks that were scanned, [blocks b h t s], are taken apart.
  """
  found: list[tuple[tuple[str, ...], Any]] = []
  for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
    names = tuple(str(getattr(part, "key", "")) for part in path)
    if "weights" not in names:
      continue
    names = names[1 : names.index("weights")]
    if "blocks" in names and len(leaf.shape) == 5:
      i = names.index("blocks")
      for block in range(leaf.shape[0]):
        own = (*names[:i], f"block_{block}", *names[i + 1 :])
        found.append((own, leaf[block]))
    elif len(leaf.shape) == 4:
      found.append((names, leaf))
  return sorted(found, key=lambda one: _order(one[0]))


def _order(path: tuple[str, ...]) -> list[Any]:
  """As it is computed: block_10 behind block_2, cross behind the mixer."""
  late = ("decoder", "cross")
  return [(name in late, _natural(name)) for name in path]


def _natural(name: str) -> list[tuple[int, str]]:
  return [
    (int(part), "") if part.isdigit() else (-1, part)
    for part in re.split(r"(\d+)", name)
  ]


def layers(tree: Any) -> tuple[Layer, ...]:
  """The maps among what a model sowed, in the order of its blocks.

  Args:
    tree: the `intermediates`; an array named `weights` [b h t s] is a map.
      Blocks that were scanned are named as if they were not.
  """
  found = [
    (_title(path), ".".join(path), weights[0].astype(np.float32))
    for path, weights in _sown(tree)
  ]
  titles = [title for title, _, _ in found]
  for i, title in enumerate(titles):
    if titles.count(title) > 1:  # Several of one block get a letter each.
      letter = chr(ord("a") + titles[:i].count(title))
      found[i] = (title + letter, *found[i][1:])
  return tuple(Layer(*one) for one in found)


def _title(path: tuple[str, ...]) -> str:
  stack = path[0] if path and path[0] in ("encoder", "decoder") else ""
  path = path[1:] if stack else path
  block = re.fullmatch(r"block_(\d+)", path[0]) if path else None
  if not block:
    return "Attention"
  number = int(block[1]) + 1
  if stack and path[1:2] == ("cross",):
    return f"Cross-attention, layer {number}"
  return f"{stack} layer {number}".strip().capitalize()


def _elements(task: Task, batch: Example, outputs: Any) -> tuple[Element, ...]:
  tokens = np.asarray(batch.inputs[0])
  answers = {} if task.per_sequence else _answers(task, batch, outputs)
  segments = np.asarray(batch.places.segments[0])
  positions = np.asarray(batch.places.positions[0])
  plain = positions.ndim == 1 and (positions == np.arange(len(tokens))).all()
  elements = []
  for i, segment in enumerate(segments):
    hints = []
    if not plain:
      where = ", ".join(map(str, np.atleast_1d(positions[i])))
      hints.append(f"position {where}")
    if segments.max() > 1:
      hints.append(f"segment {segment}")
    elements.append(
      Element(
        label=str(tokens[i] if tokens.ndim == 1 else i),
        hint="" if segment == 0 else ", ".join(hints),
        padding=bool(segment == 0),
        **answers.get(i, {}),
      )
    )
  return tuple(elements)


def _answers(
  task: Task, batch: Example, outputs: Any
) -> dict[int, dict[str, Any]]:
  """Prediction, target and whether it is right, by scored position."""
  outputs = gather(outputs, batch.at)
  scores = np.asarray(task.objective.score(outputs, batch.targets)[0])
  weights = np.asarray(batch.weights[0])
  at = np.arange(len(weights)) if batch.at is None else np.asarray(batch.at[0])
  classified = task.objective.metric == "accuracy"
  found = {}
  for i in np.flatnonzero(weights > 0):
    output, target = np.asarray(outputs[0, i]), np.asarray(batch.targets[0, i])
    found[int(at[i])] = {
      "prediction": str(output.argmax()) if classified else _numbers(output),
      "target": str(target) if classified else _numbers(target),
      "right": bool(scores[i] == 1) if classified else None,
    }
  return found


def _numbers(values: np.ndarray) -> str:
  shown = [f"{value:.3g}" for value in values.ravel()[:_DIGITS]]
  return " ".join(shown + ["…"] * (values.size > _DIGITS))


def _notes(
  task: Task, batch: Example, outputs: Any, elements: tuple[Element, ...]
) -> tuple[str, ...]:
  if task.per_sequence:
    (answer,) = _answers(task, batch, outputs).values()
    mark = {True: " ✓", False: " ✗", None: ""}[answer["right"]]
    return (
      f"The label of the whole sequence is {answer['target']}; predicted: "
      f"{answer['prediction']}{mark}.",
    )
  scored = [element for element in elements if element.prediction]
  if any(element.right is None for element in scored):
    return (f"Scored: {count(len(scored), 'position')}.",)
  right = sum(element.right is True for element in scored)
  return (
    f"{right} of the {len(scored)} scored positions are right. Below each "
    "of them stands the prediction, and the target where it is another.",
  )
