"""Attention maps as one HTML page that stands alone, made of plain arrays.

A panel for every layer and head: queries on rows, keys on columns, the
weight as colour, and what exactly it is under the pointer. Every weight
stands in the page as float32, which takes 5.4 bytes: cost O(t s) a head.
"""

import base64
import dataclasses
import html
import json
from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float

from research.plots import ramps
from research.report.drawing import SCRIPT, STYLE
from research.report.page import frame

Side = Literal["target", "read", "source"]

READING = (
  "Rows are queries, the elements that look; columns are keys, the elements "
  "looked at. The colour is the weight of the key's value in what the query "
  "reads. Point at a cell, or go to it with the arrow keys, to see the exact "
  "weight and the two elements."
)

WRITING = (
  "A row of the decoder is named by the token that is to be written there, "
  "and a column by the token that is read there, the one before it."
)


@dataclasses.dataclass(frozen=True)
class Element:
  """One element of the sequence that was looked at.

  Attributes:
    label: what stands on the axes, such as the token's number.
    hint: more about it, for whoever points at it.
    padding: whether it belongs to no sequence.
    prediction: of the model; empty where nothing is scored.
    target: what would have been right.
    right: whether the prediction is; None where it is no matter of yes or no.
  """

  label: str
  hint: str = ""
  padding: bool = False
  prediction: str = ""
  target: str = ""
  right: bool | None = None

  @property
  def mark(self) -> str:
    """Told by a sign, never by colour alone; empty if nothing is scored."""
    if not self.prediction:
      return ""
    return {True: "✓", False: "✗", None: "→"}[self.right]


@dataclasses.dataclass(frozen=True)
class Layer:
  """The maps of one layer.

  Attributes:
    title: such as "Layer 1".
    path: of the module that weighed.
    weights: Float[h t s], a map for each head.
    queries: which elements these are.
    keys: which elements these are.
    spans: of each query the first key that it should look at, and the one
      behind the last; equal where there is none. Empty if all are unknown.
    note: what else there is to say of the layer.
  """

  title: str
  path: str
  weights: Float[np.ndarray, "h t s"]
  queries: Side = "target"
  keys: Side = "target"
  spans: tuple[tuple[int, int], ...] = ()
  note: str = ""


@dataclasses.dataclass(frozen=True)
class Attended:
  """One example, and where a model looked in it.

  Attributes:
    title: what it belongs to.
    headline: what is seen.
    facts: in one line.
    notes: paragraphs about the example.
    elements: of the one sequence, or of the target that is written; the
      queries t, and the keys if s = t.
    layers: in their order.
    read: what a decoder reads in the place of each element of the target.
    source: what is read by the decoder from elsewhere, as it is encoded.
  """

  title: str
  headline: str
  facts: tuple[str, ...]
  notes: tuple[str, ...]
  elements: tuple[Element, ...]
  layers: tuple[Layer, ...]
  read: tuple[Element, ...] = ()
  source: tuple[Element, ...] = ()

  def __post_init__(self) -> None:
    for layer in self.layers:
      count = len(self.side(layer.queries))
      if layer.weights.shape[1] != count:
        raise ValueError(
          f"weights of {layer.path} have the shape {layer.weights.shape}; "
          f"allowed: (h, t, s) with t = {count}, the elements"
        )
      if layer.spans and len(layer.spans) != count:
        raise ValueError(
          f"spans of {layer.path} are {len(layer.spans)}; allowed: {count}, "
          "one for each query, or none"
        )

  def side(self, name: Side) -> tuple[Element, ...]:
    """The elements that are meant."""
    sides = {"read": self.read, "source": self.source}
    return sides.get(name, self.elements)


def maps_page(attended: Attended) -> str:
  """The whole page; needs no network, and a script of its own to draw."""
  sections = [("Example", _example(attended)), *_sections(attended)]
  told = {
    "elements": _all_told(attended.elements),
    "read": _all_told(attended.read),
    "source": _all_told(attended.source),
    "ramps": {"light": ramps.LIGHT, "dark": ramps.DARK},
  }
  # In a script nothing but its end has a meaning.
  data = json.dumps(told, ensure_ascii=False).replace("<", "\\u003c")
  return frame(
    attended.title,
    attended.headline,
    attended.facts,
    sections,
    style=STYLE,
    end='<div id="tip" role="status" hidden></div>'
    f'<script type="application/json" id="told">{data}</script>'
    f"<script>{SCRIPT}</script>",
  )


def _all_told(elements: Sequence[Element]) -> list[dict[str, str | bool]]:
  return [_told(i, element) for i, element in enumerate(elements)]


def _told(index: int, element: Element) -> dict[str, str | bool]:
  """What the script knows of an element."""
  name = f"{index}: {'padding' if element.padding else element.label}"
  if element.hint:
    name += f" ({element.hint})"
  if element.prediction:
    name += f", predicted {element.prediction} {element.mark}".rstrip(" →")
    if element.right is not True:
      name += f", target {element.target}"
  return {
    "label": element.label,
    "name": name,
    "padding": element.padding,
    "mark": element.mark,
  }


def _example(attended: Attended) -> str:
  notes = "".join(f"<p>{html.escape(note)}</p>" for note in attended.notes)
  if not attended.source:
    return f"{notes}\n{_list(attended.elements, 'Tokens')}"
  target = _list(attended.elements, "Target")
  source = _list(attended.source, "Source, as encoded")
  return (
    f"{notes}\n<h3>Target</h3>{target}"
    f"\n<h3>Source, as the decoder reads it</h3>{source}"
  )


def _list(elements: Sequence[Element], name: str) -> str:
  items = "".join(_item(i, element) for i, element in enumerate(elements))
  return f'<ol class="tokens" tabindex="0" aria-label="{name}">{items}</ol>'


def _item(index: int, element: Element) -> str:
  kinds = ["padding"] if element.padding else []
  answer = ""
  if element.prediction:
    verdict = {True: ["right"], False: ["wrong"], None: []}[element.right]
    kinds += ["scored", *verdict]
    answer = f"<span>{element.mark} {html.escape(element.prediction)}</span>"
    if element.right is not True:
      answer += f"<small>target {html.escape(element.target)}</small>"
  hint = f' title="{html.escape(element.hint)}"' if element.hint else ""
  return (
    f'<li class="{" ".join(kinds)}"{hint}><small>{index}</small>'
    f"<b>{html.escape(element.label)}</b>{answer}</li>"
  )


def _sections(attended: Attended) -> list[tuple[str, str]]:
  """A section a layer; one for all where each has one head."""
  legend = _legend(attended)
  layers = attended.layers
  single = layers and all(len(layer.weights) == 1 for layer in layers)
  if single and not attended.source:
    figures = [_figure(layer, 0, (layer.title, layer.path)) for layer in layers]
    return [("Maps", legend + _grid(figures, layers[0].weights.shape[2]))]
  sections: list[tuple[str, str]] = []
  for layer in layers:
    figures = [
      _figure(layer, head, (f"Head {head + 1}", ""))
      for head in range(len(layer.weights))
    ]
    facts = " · ".join(filter(None, (layer.path, layer.note)))
    where = f'<p class="facts">{html.escape(facts)}</p>'
    # Outlines need cells that are wider.
    columns = layer.weights.shape[2] * (2 if layer.spans else 1)
    inner = where + _grid(figures, columns)
    sections.append((layer.title, inner if sections else legend + inner))
  return sections


def _grid(figures: Sequence[str], columns: int) -> str:
  # Narrower, a cell would have less than four pixels.
  least = min(max(4 * columns + 96, 272), 560)
  style = f"--least: {least}px"
  return f'<div class="maps" style="{style}">{"".join(figures)}</div>'


def _figure(layer: Layer, head: int, title: tuple[str, str]) -> str:
  weights = layer.weights[head]
  finite = weights[np.isfinite(weights)]
  largest = f"{finite[np.abs(finite).argmax()]:.3g}" if finite.size else "none"
  said = f"{layer.title}, head {head + 1}: largest weight {largest}"
  name, path = map(html.escape, title)
  rows, columns = weights.shape
  spans = json.dumps(layer.spans) if layer.spans else "[]"
  data = base64.b64encode(weights.astype("<f4").tobytes()).decode("ascii")
  return (
    f'<figure><figcaption><b>{name}</b><span class="path">{path}</span>'
    f"<span>largest {largest.replace('-', '−')}</span>"
    '<button type="button">Enlarge</button></figcaption><div class="view">'
    '<canvas tabindex="0" role="img" '
    f'aria-label="{html.escape(said)}" data-t="{rows}" data-s="{columns}" '
    f'data-queries="{layer.queries}" data-keys="{layer.keys}" '
    f'data-spans="{spans}" '
    f'data-weights="{data}"></canvas></div></figure>'
  )


def _legend(attended: Attended) -> str:
  marks = []
  if any(element.padding for element in attended.elements + attended.source):
    marks.append('<span><i class="key grey"></i>padding</span>')
  if any(np.isnan(layer.weights).any() for layer in attended.layers):
    marks.append('<span><i class="key lost"></i>not a number</span>')
  if any(layer.spans for layer in attended.layers):
    marks.append('<span><i class="key true"></i>true alignment</span>')
  writing = f" {WRITING}" if attended.read else ""
  return (
    f"<p>{READING}{writing}</p>"
    "<noscript><p>The maps are drawn by a script inside of this page, which "
    "this browser does not run.</p></noscript>"
    '<div class="legend"><span>weight <span id="least"></span>'
    '<i id="ramp"></i><span id="most"></span></span>'
    f'{"".join(marks)}<label><input type="checkbox" id="own"> each map on a '
    "scale of its own</label></div>"
  )
