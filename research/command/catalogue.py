"""What stands in the rooms, read from docstrings without importing them."""

import ast
import dataclasses
import pathlib
import re
from collections.abc import Iterator

ROOMS = {
  "mixers": (
    (
      "attention",
      "convolution",
      "linear",
      "connected",
      "recurrence",
      "models",
    ),
    {"Mixer"},
  ),
  "tasks": (("tasks",), {"Task"}),
  "positions": (("positions",), {"InputPosition", "ScorePosition"}),
  "scores": (("scores",), {"Score"}),
  "normalizers": (("normalizers",), {"Normalizer"}),
  "heads": (("heads",), {"Heads"}),
  "masks": (("masks", "sparse_masks"), {"Mask"}),
}
"""The folders or files of a kind, and the contracts of its classes."""

_SHARED = ("base", "scan")
_PAPER = re.compile(
  r"[A-ZÀ-Þ][\w'’-]*(?: (?:and|&|et al\.) ?(?:[A-ZÀ-Þ][\w'’-]*)?)*,?"
  r" (?:19|20)\d\d\b"
)


@dataclasses.dataclass(frozen=True)
class Entry:
  """One class, in the words of its page."""

  path: str
  summary: str
  formula: str
  cost: str
  paper: str


@dataclasses.dataclass(frozen=True)
class Page:
  """One experiment, in the words of its page."""

  name: str
  question: str
  minutes: str


def entries(room: str, root: pathlib.Path) -> dict[str, list[Entry]]:
  """The mixers, tasks and so on under `root`, by folder."""
  folders, contracts = ROOMS[room]
  files = {
    folder: [
      (file, ast.parse(file.read_text(encoding="utf-8")))
      for file in _files(root, folder)
    ]
    for folder in folders
  }
  known = _descendants(
    [tree for trees in files.values() for _, tree in trees], contracts
  )
  return {
    folder: [
      _entry(_module(root, file), tree, kind)
      for file, tree in trees
      if file.stem not in _SHARED
      for kind in _classes(tree)
      if kind.name in known and not _is_abstract(kind)
    ]
    for folder, trees in files.items()
  }


def _files(root: pathlib.Path, name: str) -> list[pathlib.Path]:
  """The files of a folder, or the one file of that name."""
  alone = root / f"{name}.py"
  return [alone] if alone.exists() else sorted((root / name).glob("*.py"))


def _module(root: pathlib.Path, file: pathlib.Path) -> str:
  return ".".join(("research", *file.relative_to(root).with_suffix("").parts))


def page(file: pathlib.Path) -> Page:
  """What the docstring of an experiment says."""
  text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
  paragraphs = [" ".join(part.split()) for part in text.split("\n\n")]
  minutes = [p for p in paragraphs if p.startswith("Minutes. ")]
  return Page(
    file.stem,
    paragraphs[0],
    "".join(minutes[:1]).removeprefix("Minutes. ").rstrip("."),
  )


def paragraph(text: str, title: str) -> str:
  """What stands behind "Title:", up to a blank line or another title."""
  found = re.search(rf"\b{title}:(.*?)(?=\n\s*\n|\b[A-Z]\w+:|\Z)", text, re.S)
  return " ".join(found[1].split()) if found else ""


def _classes(tree: ast.Module) -> Iterator[ast.ClassDef]:
  for node in tree.body:
    if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
      yield node


def _is_abstract(kind: ast.ClassDef) -> bool:
  text = ast.get_docstring(kind) or ""
  return text.partition("\n")[0].endswith("Abstract.")


def _descendants(trees: list[ast.Module], contracts: set[str]) -> set[str]:
  """The names of the classes that derive from a contract, in any step."""
  known, before = set(contracts), 0
  while len(known) > before:
    before = len(known)
    for tree in trees:
      for kind in _classes(tree):
        if any(ast.unparse(base) in known for base in kind.bases):
          known.add(kind.name)
  return known - contracts


def _entry(module: str, tree: ast.Module, kind: ast.ClassDef) -> Entry:
  page, own = ast.get_docstring(tree) or "", ast.get_docstring(kind) or ""
  alone = module.count(".") > 1  # a file in a room, not a room in a file
  papers = _PAPER.findall(page) or _PAPER.findall(own)
  return Entry(
    path=f"{module}:{kind.name}",
    summary=(page if alone else own).partition("\n")[0].rstrip("."),
    formula=_whole(paragraph(own, "Formula") or paragraph(page, "Formula")),
    cost=_whole(paragraph(own, "Cost") or paragraph(page, "Cost")),
    paper=", ".join(dict.fromkeys(papers)),
  )


def _whole(text: str) -> str:
  """Without a last sentence that only leads to what stands below it."""
  head, stop, tail = text.rpartition(". ")
  return head if stop and not tail.endswith(".") else text.rstrip(".")
