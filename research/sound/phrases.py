"""A small grammar of phrases, English and Chinese, over Unicode characters.

A phrase is verb, modifier, noun, of which the verb may be missing: "use deep
learning", 研究机器学习. There are 1,024 in English and 576 in Chinese, of 20
characters at most.
"""

import functools
import itertools
from typing import Literal, NamedTuple

import numpy as np

Part = Literal["all", "train", "validation", "test"]

LATIN, CHINESE = 0, 1

_WORDS = (
  (
    ("", "use", "try", "see"),
    (
      *("machine", "deep", "neural", "online", "active", "robot", "speech"),
      *("image", "graph", "causal", "sparse", "linear", "fast", "human"),
      *("open", "joint"),
    ),
    (
      *("learning", "network", "model", "vision", "memory", "search"),
      *("theory", "method", "layer", "kernel", "signal", "system", "agent"),
      *("logic", "data", "proof"),
    ),
  ),
  (
    ("", "研究", "使用", "比较"),
    (
      *("机器", "深度", "神经", "主动", "图像", "语音", "快速", "稀疏"),
      *("线性", "因果", "在线", "人工"),
    ),
    (
      *("学习", "网络", "模型", "视觉", "记忆", "搜索", "理论", "方法"),
      *("系统", "信号", "智能", "数据"),
    ),
  ),
)
"""Verbs, modifiers and nouns of each script."""

_PARTS: dict[int, Part] = {0: "test", 1: "validation"}
_FOLDS = 10


class Table(NamedTuple):
  """Phrases as arrays.

  Attributes:
    characters: Int[p n], numbers in `CHARACTERS`, 0 behind the last.
    sizes: Int[p], how many there are.
    scripts: Int[p], LATIN or CHINESE.
  """

  characters: np.ndarray
  sizes: np.ndarray
  scripts: np.ndarray


def phrases(part: Part, script: int) -> list[str]:
  """The phrases of a part in one script, verbs changing slowest.

  A modifier and a noun belong to one part, with whatever verb. The sum of
  their numbers, modulo 10, is 0 for a test, 1 for validation and another for
  training: every word is trained on, and no pair of words of a test is.
  "machine learning" and 机器学习 are of the test.
  """
  verbs, modifiers, nouns = _WORDS[script]
  space = " " if script == LATIN else ""
  found = []
  for verb in verbs:
    pairs = itertools.product(enumerate(modifiers), enumerate(nouns))
    for (i, modifier), (j, noun) in pairs:
      own = _PARTS.get((i + j) % _FOLDS, "train")
      if part in ("all", own):
        found.append(space.join(filter(None, (verb, modifier, noun))))
  return found


_ALL = phrases("all", LATIN) + phrases("all", CHINESE)

CHARACTERS = "".join(sorted(set("".join(_ALL))))
"""Every character that there is; the first is the space."""

LONGEST = max(map(len, _ALL))
"""The most characters of a phrase."""


@functools.cache
def table(part: Part) -> Table:
  """The phrases of a part as arrays, English first."""
  texts = [(text, s) for s in (LATIN, CHINESE) for text in phrases(part, s)]
  characters = np.zeros((len(texts), LONGEST), np.int32)
  for row, (text, _) in enumerate(texts):
    characters[row, : len(text)] = [CHARACTERS.index(one) for one in text]
  sizes = np.array([len(text) for text, _ in texts], np.int32)
  return Table(characters, sizes, np.array([s for _, s in texts], np.int32))
