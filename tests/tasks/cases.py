"""The table of tasks: one line a difficulty axis, for the laws of all tasks.

Every file of `research/tasks` stands here with a record or more.
"""

import atexit
import pathlib
import shutil
import tempfile
from typing import Any

import numpy as np

from research.tasks.arrays import Arrays
from research.tasks.first import FirstSymbol
from research.tasks.labelling import ContextLabelling
from research.tasks.latest import LatestValue
from research.tasks.patterns import NoisyPatterns
from research.tasks.randomised import RandomisedPositions
from research.tasks.recall import MultiQueryRecall
from research.tasks.relations import Relations
from research.tasks.transcription import Transcription
from research.tasks.words import GroupWords
from tests.tasks.case import TaskCase
from tests.tasks.transductions import TRANSDUCTIONS

APART = (Transcription(),)
"""Tasks with laws of their own, as their spectra are equal up to rounding."""

FOLDER = pathlib.Path(tempfile.mkdtemp())
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)


def _save(name: str, **arrays: Any) -> str:
  np.savez(FOLDER / name, **arrays)
  return str(FOLDER / name)


_DRAWS = np.random.RandomState(0)
_TOKENS = _DRAWS.randint(0, 6, (50, 8))
_VECTORS = _DRAWS.uniform(-1, 1, (40, 6, 3))
# Rows of two sequences and padding, with NaN where nobody may look.
_SEGMENTS = np.repeat([[1, 1, 1, 2, 2, 0]], 40, axis=0)
_PADDED = np.where(_SEGMENTS[..., None] > 0, _VECTORS, np.nan)

_TAGGED = _save(
  "tagged.npz",
  inputs=_TOKENS,
  targets=np.roll(_TOKENS, 1, axis=1) % 4,
  weights=np.repeat([[0.0] + [1.0] * 5 + [0.5] * 2], 50, axis=0),
)
_CLASSIFIED = _save(
  "classified.npz", inputs=_TOKENS, targets=np.arange(50) % 10 // 4
)
_REGRESSED = _save(
  "regressed.npz",
  inputs=_PADDED,
  targets=np.repeat([[[3.0, 1.0], [5.0, 1.0]] * 3], 40, axis=0),
  segments=_SEGMENTS,
)

CASES: dict[str, TaskCase] = {
  "recall": TaskCase(
    MultiQueryRecall(vocabulary=64, length=32, pairs=(8,)),
    chance=2 / 64,
    position_wise=True,
    refused=(
      {"vocabulary": 63},
      {"vocabulary": 2},
      {"length": 33},
      {"pairs": ()},
      {"pairs": (0,)},
      {"pairs": (4, 9)},
      {"vocabulary": 16, "pairs": (8,)},
      {"power": 0.0},
      {"power": float("nan")},
      {"filler": "one"},
    ),
  ),
  "recall of a mixture": TaskCase(
    MultiQueryRecall(vocabulary=64, length=32, pairs=(1, 4, 8), power=1.0),
    chance=2 / 64,
    position_wise=True,
  ),
  "recall in random filler": TaskCase(
    MultiQueryRecall(
      vocabulary=64, length=32, pairs=(2, 8), power=0.5, filler="random"
    ),
    chance=2 / 64,
    position_wise=True,
  ),
  "recall at a large vocabulary": TaskCase(
    MultiQueryRecall(pairs=(16,)), chance=2 / 8192
  ),
  "labelling": TaskCase(
    ContextLabelling(),
    chance=1 / 4,
    position_wise=True,
    refused=(
      {"classes": 1},
      {"length": 1},
      {"length": 16, "distances": (8,)},
      {"synonyms": 0},
      {"distances": ()},
      {"distances": (0,)},
      {"distances": (-1,)},
      {"distances": (2, 2)},
      {"direction": "left", "distances": (32,)},
      {"direction": "up"},
    ),
  ),
  "labelling from the left": TaskCase(
    ContextLabelling(
      classes=2, length=9, distances=(8, 1), direction="left", synonyms=3
    ),
    chance=1 / 2,
    position_wise=True,
  ),
  "labelling from the right": TaskCase(
    ContextLabelling(classes=3, length=17, direction="right", synonyms=2),
    chance=1 / 3,
    position_wise=True,
  ),
  "latest": TaskCase(
    LatestValue(),
    chance=1 / 4,
    position_wise=True,
    refused=(
      {"keys": 0},
      {"values": 1},
      {"length": 8},
      {"keys": 32, "length": 32},
    ),
  ),
  "latest of one key": TaskCase(
    LatestValue(keys=1, values=2, length=2), chance=1 / 2, position_wise=True
  ),
  "latest of many keys": TaskCase(
    LatestValue(keys=23, values=3, length=40),
    chance=1 / 3,
    position_wise=True,
  ),
  "first": TaskCase(
    FirstSymbol(),
    chance=1 / 8,
    position_wise=True,
    refused=(
      {"symbols": 1},
      {"distractors": 0},
      {"distances": ()},
      {"distances": (0, 4)},
      {"distances": (2.5, 4)},
      {"distances": (4, 4)},
      {"side": "both"},
    ),
  ),
  "first to the right": TaskCase(
    FirstSymbol(symbols=3, distractors=1, distances=(5, 1), side="right"),
    chance=1 / 3,
    position_wise=True,
  ),
  "words": TaskCase(
    GroupWords(),
    chance=1 / 120,
    position_wise=True,
    refused=(
      {"group": "S2"},
      {"group": "Z1"},
      {"group": "Z721"},
      {"group": "A"},
      {"group": "D5"},
      {"tokens": "words"},
      {"length": 1},
      {"scored": "first"},
    ),
  ),
  "words of two bits": TaskCase(
    GroupWords("Z2", tokens="generators", length=9, scored="last"),
    chance=1 / 2,
    position_wise=True,
  ),
  "words of steps": TaskCase(
    # The mean over t < 40 of Σ_k ((1 + 2 cos 2πk/5) / 3)^t / 5.
    GroupWords("Z5", tokens="generators", length=40),
    chance=0.2102564103,
  ),
  "words of exchanges": TaskCase(
    GroupWords("S3", tokens="generators", length=30, scored="last"),
    chance=1 / 6,
    position_wise=True,
  ),
  "words of rotations": TaskCase(
    GroupWords("A5", tokens="generators", length=25, scored="last"),
    chance=1 / 60,
    position_wise=True,
  ),
  "relations": TaskCase(
    Relations(),
    chance=1 / 256,
    position_wise=True,
    refused=(
      {"attributes": 1},
      {"length": 1, "distances": (1,)},
      {"length": 5, "distances": (1, 5)},
      {"distances": ()},
      {"distances": (0, 1)},
      {"distances": (2, 2)},
      {"distances": (24,)},
    ),
  ),
  "one relation": TaskCase(
    Relations(attributes=2, distances=(1,), length=2),
    chance=1 / 2,
    position_wise=True,
  ),
  "relations out of order": TaskCase(
    Relations(attributes=3, distances=(7, 2), length=8),
    chance=1 / 9,
    position_wise=True,
  ),
  "patterns": TaskCase(
    NoisyPatterns(),
    chance=1 / 8,
    refused=(
      {"length": 1},
      {"length": 4, "rows": 5},
      {"channels": 0},
      {"channels": 2, "rows": 5},
      {"rows": 1},
      {"rows": 3, "classes": 7},
      {"classes": 1},
      {"noise": 0.5},
      {"noise": 0.499999999},
      {"noise": -0.1},
      {"noise": float("nan")},
      {"seed": -1},
    ),
  ),
  "patterns as long as the sequence": TaskCase(
    NoisyPatterns(classes=6, length=3, rows=3, channels=2, noise=0.0, seed=7),
    chance=1 / 6,
  ),
  "patterns in much noise": TaskCase(
    NoisyPatterns(
      classes=2, length=40, rows=2, channels=1, noise=0.4999999, seed=1
    ),
    chance=1 / 2,
  ),
  "recall at randomised positions": TaskCase(
    RandomisedPositions(
      MultiQueryRecall(vocabulary=64, length=32, pairs=(8,)), limit=64
    ),
    chance=2 / 64,
    position_wise=True,
    refused=({"limit": 31}, {"limit": -1}),
  ),
  "labelling at randomised positions": TaskCase(
    RandomisedPositions(ContextLabelling(), limit=32),
    chance=1 / 4,
    position_wise=True,
  ),
  "labelling at its own positions": TaskCase(
    RandomisedPositions(ContextLabelling(), limit=0),
    chance=1 / 4,
    position_wise=True,
  ),
  "patterns at randomised positions": TaskCase(
    RandomisedPositions(NoisyPatterns()), chance=1 / 8
  ),
  "arrays": TaskCase(
    Arrays(_TAGGED),
    chance=Arrays(_TAGGED).chance,
    refused=({"part": "tests"}, {"path": "nowhere.npz", "digest": ""}),
  ),
  "arrays with one label": TaskCase(Arrays(_CLASSIFIED), chance=0.4),
  "arrays to regress on": TaskCase(
    # Three targets of 3 and two of 5 a row: their variance is 24/25.
    Arrays(_REGRESSED, part="train"),
    chance=-0.96,
  ),
  **TRANSDUCTIONS,
}
