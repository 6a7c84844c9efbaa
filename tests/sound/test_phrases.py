import itertools

import numpy as np
import pytest

from research.sound.phrases import (
  CHARACTERS,
  CHINESE,
  LATIN,
  LONGEST,
  phrases,
  table,
)


def every(part: str) -> list[str]:
  return phrases(part, LATIN) + phrases(part, CHINESE)


def test_how_many_there_are_and_how_long():
  counts = {
    part: (len(phrases(part, LATIN)), len(phrases(part, CHINESE)))
    for part in ("all", "train", "validation", "test")
  }
  assert counts == {
    "all": (1024, 576),
    "train": (832, 452),
    "validation": (96, 64),
    "test": (96, 60),
  }
  assert LONGEST == max(map(len, every("all"))) == 20


def test_no_phrase_and_no_pair_of_words_is_in_two_parts():
  """Two English words, or the last four Chinese characters."""
  parts = [every(part) for part in ("train", "validation", "test")]
  assert sorted(sum(parts, [])) == sorted(set(every("all")))
  pairs = [
    {text[-4:] if text[-1] > "z" else tuple(text.split()[-2:]) for text in part}
    for part in parts
  ]
  for one, other in itertools.combinations(pairs, 2):
    assert not one & other


def test_every_word_is_trained_on():
  def words(part: str) -> set[str]:
    latin = {word for text in phrases(part, LATIN) for word in text.split()}
    chinese = phrases(part, CHINESE)
    return latin | {
      text[i : i + 2] for text in chinese for i in range(0, len(text), 2)
    }

  assert words("all") == words("train") >= words("validation") | words("test")


def test_phrases_known_by_name():
  for text in ("machine learning", "try deep learning"):
    assert text in phrases("all", LATIN)
  for text in ("机器学习", "研究神经网络"):
    assert text in phrases("all", CHINESE)
  assert "machine learning" in phrases("test", LATIN)
  assert "机器学习" in phrases("test", CHINESE)


@pytest.mark.parametrize("part", ["all", "test"])
def test_the_table_holds_the_phrases(part):
  found = table(part)
  texts = [
    "".join(CHARACTERS[number] for number in row[:size])
    for row, size in zip(found.characters, found.sizes, strict=True)
  ]
  assert texts == every(part)
  behind = np.arange(LONGEST) >= found.sizes[:, None]
  assert not found.characters[behind].any()
  chinese = [any(one > "z" for one in text) for text in texts]
  np.testing.assert_array_equal(found.scripts, np.array(chinese))


def test_the_space_is_the_first_of_all_characters():
  assert CHARACTERS[0] == " "
  assert len(set(CHARACTERS)) == len(CHARACTERS) == 77
