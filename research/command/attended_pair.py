"""What an encoder–decoder looked at: its target, and its source as encoded."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from research.models.encoder_decoder import EncoderDecoder
from research.places import Places
from research.plots.readable import count
from research.report.maps import Element, Layer
from research.tasks.base import Example, Task
from research.tasks.transduction import BEGIN, END, SYMBOLS, Transduction
from research.training.written import write

_SILENT, _SPACE = "·", "␣"


def looked(
  model: EncoderDecoder, variables: Any, batch: Example
) -> tuple[Any, Any, Places]:
  """Outputs, everything sown, and where the encoded elements stand."""
  (memory, places), read = model.apply(
    variables, *batch.source, method="encode", mutable=["intermediates"]
  )
  outputs, written = model.apply(
    variables,
    batch.inputs,
    batch.places,
    (memory, places),
    method="decode",
    mutable=["intermediates"],
  )
  trees = [sown.get("intermediates", {}) for sown in (read, written)]
  return outputs, {"intermediates": {**trees[0], **trees[1]}}, places


def token_label(task: Task, token: int) -> str:
  """A token of the target as a reader wants to see it."""
  if not isinstance(task, Transduction):
    return str(token)
  if token < SYMBOLS:
    return {BEGIN: "BEGIN", END: "END"}[token]
  return task.text([token]).replace(" ", _SPACE) or str(token)


def target_elements(
  task: Task,
  batch: Example,
  answers: dict[int, dict[str, Any]],
) -> tuple[tuple[Element, ...], tuple[Element, ...]]:
  """The tokens to be written, and those read in their places.

  Args:
    task: of the example.
    batch: it alone.
    answers: prediction, target and whether it is right, by position.
  """
  wanted, read = [], []
  tokens = np.asarray(batch.inputs[0])
  for i, valid in enumerate(np.asarray(batch.places.segments[0]) > 0):
    label = token_label(task, int(tokens[i])) if valid else ""
    read.append(Element(label, padding=not valid))
    answer = dict(answers.get(i, {}))
    if answer and answer["right"] is not None:
      for name in ("prediction", "target"):
        answer[name] = token_label(task, int(answer[name]))
    shown = answer.get("target", str(i)) if valid else ""
    hint = f"after {label}" if valid else ""
    wanted.append(Element(shown, hint, padding=not valid, **answer))
  return tuple(wanted), tuple(read)


def source_elements(
  task: Task, batch: Example, places: Places, targets: Sequence[Element]
) -> tuple[Element, ...]:
  """What is encoded: tokens, or vectors named by what the alignment says."""
  inputs, before = batch.source
  given = np.asarray(inputs[0])
  known = np.asarray(before.positions[0])
  there = np.asarray(before.segments[0]) > 0
  where = np.asarray(places.positions[0])
  answers = _ranges(batch, len(targets))
  elements = []
  for position, valid in zip(
    where, np.asarray(places.segments[0]) > 0, strict=True
  ):
    if not valid:
      elements.append(Element("", padding=True))
      continue
    hint = f"position {', '.join(map(str, np.atleast_1d(position)))}"
    if given.ndim == 1:
      same = (known == position).reshape(len(known), -1).all(1) & there
      label = _source_label(task, int(given[np.argmax(same)]))
    elif answers is None:
      label = str(position)
    else:
      within = (answers[:, 0] <= position) & (position < answers[:, 1])
      label = targets[int(np.argmax(within))].label if within.any() else _SILENT
    elements.append(Element(label, hint))
  return tuple(elements)


def _source_label(task: Task, token: int) -> str:
  if not isinstance(task, Transduction):
    return str(token)
  return task.source_text([token]).replace(" ", _SPACE)


def _ranges(batch: Example, length: int) -> np.ndarray | None:
  """The true positions [t 2] of every element of the target, if known."""
  if batch.alignment is None:
    return None
  ranges = np.zeros((length, 2), int)
  at = range(length) if batch.at is None else np.asarray(batch.at[0])
  ranges[np.asarray(at)] = np.asarray(batch.alignment[0])
  return ranges


def spans(
  batch: Example, places: Places, length: int
) -> tuple[tuple[int, int], ...]:
  """The true alignment in numbers of encoded elements; empty if unknown."""
  ranges = _ranges(batch, length)
  if ranges is None:
    return ()
  where, valid = np.asarray(places.positions[0]), np.asarray(places.valid[0])
  found = []
  for first, end in ranges:
    (inside,) = np.nonzero(valid & (first <= where) & (where < end))
    found.append(
      (int(inside[0]), int(inside[-1]) + 1) if inside.size else (0, 0)
    )
  return tuple(found)


def share(layer: Layer) -> float:
  """The share of a layer's weights on the true alignment, mean over heads.

  Over the queries that have one; NaN where none has.
  """
  mean = layer.weights.mean(axis=0)
  parts = [
    mean[i, first:end].sum()
    for i, (first, end) in enumerate(layer.spans)
    if end > first
  ]
  return float(np.mean(parts)) if parts else float("nan")


def with_sides(layer: Layer, true: tuple[tuple[int, int], ...]) -> Layer:
  """The layer of an encoder or decoder with what it looks from, and at."""
  stack, _, rest = layer.path.partition(".")
  if stack == "encoder":
    return dataclasses.replace(layer, queries="source", keys="source")
  if rest.split(".")[1:2] != ["cross"]:
    return dataclasses.replace(layer, keys="read")
  layer = dataclasses.replace(layer, keys="source", spans=true)
  if not true or np.isnan(share(layer)):
    return layer
  note = f"{100 * share(layer):.0f} % of the weights on the true alignment"
  return dataclasses.replace(layer, note=note)


def without_padding(found: dict[str, Any]) -> dict[str, Any]:
  """The same with one element of the padding at either end, if there is any.

  Most of a batch may be padding, which would leave small maps.
  """
  target, source = _kept(found["elements"]), _kept(found["source"])
  left_out = target < len(found["elements"]) or source < len(found["source"])
  counts = {"target": target, "read": target, "source": source}
  kept = [
    dataclasses.replace(
      layer,
      weights=layer.weights[:, : counts[layer.queries], : counts[layer.keys]],
      spans=layer.spans[: counts[layer.queries]],
    )
    for layer in found["layers"]
  ]
  note = "Of the padding behind either end one element is shown."
  return {
    "notes": (*found["notes"], *[note] * left_out),
    "elements": found["elements"][:target],
    "layers": tuple(kept),
    "read": found["read"][:target],
    "source": found["source"][:source],
  }


def _kept(elements: Sequence[Element]) -> int:
  last = max((i for i, e in enumerate(elements) if not e.padding), default=-1)
  return min(last + 2, len(elements))


def best_crossing(layers: Sequence[Layer]) -> Layer | None:
  """The cross-attention nearest to the true alignment, or else the last."""
  crossings = [
    layer
    for layer in layers
    if layer.queries == "target" and layer.keys == "source"
  ]
  shares = [share(layer) for layer in crossings]
  if not crossings or np.isnan(shares).any():
    return crossings[-1] if crossings else None
  return crossings[int(np.argmax(shares))]


def written_note(
  task: Task, model: EncoderDecoder, variables: Any, batch: Example
) -> tuple[str, ...]:
  """What the model writes by itself, beside what it should have written."""
  if not isinstance(task, Transduction):
    return ()
  made = write(model, variables, batch, task.length)
  written = np.asarray(made.tokens[0, : int(made.lengths[0])]).tolist()
  wanted = np.asarray(batch.targets[0, : int(made.sizes[0])]).tolist()
  return (
    f"The target is “{task.text(wanted)}”. By itself, each time with the most "
    f"likely token, the model writes “{_spaced(_text(task, written))}”: "
    f"{count(int(made.edits[0]), 'edit')}.",
  )


def _spaced(text: str) -> str:
  """Spaces that a page would leave out are shown by a sign."""
  plain = " ".join(text.split())
  return text if text == plain else text.replace(" ", _SPACE)


def _text(task: Transduction, tokens: list[int]) -> str:
  """As the task tells it; a BEGIN that was written in between is named."""
  parts: list[str] = []
  for begins, group in _runs(tokens):
    parts += ["BEGIN"] * len(group) if begins else [task.text(group)]
  return " ".join(parts)


def _runs(tokens: list[int]) -> list[tuple[bool, list[int]]]:
  """Neighbours that are, or are not, the token BEGIN."""
  found: list[tuple[bool, list[int]]] = []
  for token in tokens:
    if not found or found[-1][0] != (token == BEGIN):
      found.append((token == BEGIN, []))
    found[-1][1].append(token)
  return found
