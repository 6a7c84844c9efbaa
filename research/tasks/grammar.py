"""A synchronous grammar: the same clause in two languages of other order."""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from research.record import check_number
from research.shapes import RandomKey
from research.tasks.base import Example
from research.tasks.transduction import (
  SYMBOLS,
  Transduction,
  glued,
  own_numbers,
  stacked,
)

NOUNS = (
  "dog cat bird fish horse cow fox bear girl boy man woman king queen poet "
  "nurse"
).split()
VERBS = (
  "sees hears likes helps follows finds meets calls knows draws feeds asks "
  "stops leads holds visits"
).split()
ADJECTIVES = "small big old young red grey quick quiet".split()

_THAT = 0
_SUBJECT, _OBJECT, _WHO = SYMBOLS, SYMBOLS + 1, SYMBOLS + 2
_MARKS = ("SUBJ", "OBJ", "REL")


class _Words(NamedTuple):
  """What is drawn for each noun phrase, by numbers from 0.

  The verb is that of the clause within the phrase, and `object` tells whether
  the noun is its object, not its subject.
  """

  noun: Int[Array, "..."]
  verb: Int[Array, "..."]
  adjectives: Int[Array, "..."]
  modifiers: Int[Array, "..."]
  object: Int[Array, "..."]


class _Row(NamedTuple):
  """A row of tokens, and how many of them there are."""

  tokens: Int[Array, "t"]
  size: Int[Array, ""]


@dataclasses.dataclass(frozen=True)
class Grammar(Transduction):
  """A clause with nested relative clauses, translated word by word and rule.

  Rules, source and target, where equal names are the same phrase (Aho 1969):

    S  → NP V NP′           | NP SUBJ NP′ OBJ V
    NP → A* N               | N A*
    NP → A* N that V NP     | NP OBJ V REL N A*
    NP → A* N that NP V     | NP SUBJ V REL N A*

  The source is like English. The target is verb-final as Japanese is:
  clauses stand before their noun and mirror their nesting, particles tell
  subject from object, adjectives stand behind the noun, in the same order, and
  agree with it: each has two forms, for nouns of even number and odd ones
  (dog is 0, cat is 1).

    source  dog that sees small cat likes fish
    target  cat small.1 OBJ sees REL dog SUBJ fish OBJ likes END

  The alignment is known and far from monotonic. The nesting of either phrase
  is 0 to `depth`, each alike likely, apart from the other; so are the numbers
  of adjectives, 0 to `modifiers`, the words, and the two relative clauses.

  Scores: `chance` is the share of the most frequent token of the target. Who
  translates words but keeps their order is wrong nearly everywhere. Cost:
  O(depth · source_length).

  Attributes:
    nouns, verbs, adjectives: how many words there are.
    modifiers: the most adjectives of a noun.
    depth: the most relative clauses within each other.
  """

  nouns: int = 8
  verbs: int = 8
  adjectives: int = 4
  modifiers: int = 1
  depth: int = 2

  def __post_init__(self) -> None:
    check_number(self, "nouns", 2, len(NOUNS))
    check_number(self, "verbs", 1, len(VERBS))
    check_number(self, "adjectives", 1, len(ADJECTIVES))
    check_number(self, "modifiers", 0)
    check_number(self, "depth", 0)

  @property
  def vocabulary(self) -> int:
    return 1 + self.nouns + self.verbs + self.adjectives

  @property
  def classes(self) -> int:
    forms = self.nouns + self.verbs + 2 * self.adjectives
    return SYMBOLS + len(_MARKS) + forms

  @property
  def length(self) -> int:
    return 2 * self._longest(3) + 3 + 1

  @property
  def source_length(self) -> int:
    return 2 * self._longest(2) + 1

  @property
  def chance(self) -> float:
    phrases, clauses = 2.0 + self.depth, 1.0 + self.depth
    modifiers = phrases * self.modifiers / 2
    even = (self.nouns + 1) // 2 / self.nouns
    marks = clauses + 1 + self.depth
    most = (
      1.0 + self.depth / 2,  # SUBJ and OBJ; REL comes no more often
      float(self.depth),
      phrases / self.nouns,
      clauses / self.verbs,
      modifiers / self.adjectives * even,
    )
    return max(most) / (phrases + clauses + modifiers + marks + 1)

  def _longest(self, words: int) -> int:
    """The most words of a noun phrase, with `words` a clause of its own."""
    return (self.modifiers + 1) * (self.depth + 1) + words * self.depth

  def text(self, tokens: Sequence[int]) -> str:
    adjectives = ADJECTIVES[: self.adjectives]
    names = [*_MARKS, *NOUNS[: self.nouns], *VERBS[: self.verbs]]
    names += [f"{word}.{form}" for form in (0, 1) for word in adjectives]
    return " ".join(names[number] for number in own_numbers(tokens))

  def source_text(self, tokens: Sequence[int]) -> str:
    return " ".join(self._names[token] for token in tokens)

  @property
  def _names(self) -> list[str]:
    """Of the tokens of the source."""
    names = ["that", *NOUNS[: self.nouns], *VERBS[: self.verbs]]
    return names + ADJECTIVES[: self.adjectives]

  def sample(self, key: RandomKey) -> Example:
    for_depth, for_words = jax.random.split(key)
    depths = jax.random.randint(for_depth, (2,), 0, self.depth + 1)
    words = self._draw(for_words)
    read, written = jax.vmap(self._phrase)(words, depths)
    verb = words.verb[0, self.depth]  # no phrase's own, as it is innermost
    source, count = glued(
      stacked(read.tokens[0], 1 + self.nouns + verb, read.tokens[1]),
      jnp.stack([read.size[0], 1, read.size[1]]),
      self.source_length,
    )
    base = SYMBOLS + len(_MARKS) + self.nouns
    first, second = written.tokens
    target, size = glued(
      stacked(first, _SUBJECT, second, _OBJECT, base + verb),
      jnp.stack([written.size[0], 1, written.size[1], 1, 1]),
      self.length,
    )
    slices = {"depth": jnp.max(depths), "size": count}
    return self.pair(source, count, target, size, slices)

  def _draw(self, key: RandomKey) -> _Words:
    """Words of both phrases at every depth, [2, depth + 1]."""
    shape = (2, self.depth + 1)
    limits = (self.nouns, self.verbs, self.adjectives, self.modifiers + 1, 2)
    shapes = (shape, shape, (*shape, self.modifiers), shape, shape)
    keys = jax.random.split(key, len(limits))
    drawn = zip(keys, shapes, limits, strict=True)
    return _Words(*(jax.random.randint(k, s, 0, n) for k, s, n in drawn))

  def _phrase(self, words: _Words, depth: Int[Array, ""]) -> tuple[_Row, _Row]:
    """A noun phrase in both languages, made from the innermost on."""

    def step(
      inner: tuple[_Row, _Row], given: tuple[Int[Array, ""], _Words]
    ) -> tuple[tuple[_Row, _Row], None]:
      level, here = given
      clause = (level < depth).astype(jnp.int32)
      return (
        self._source_phrase(here, clause, inner[0]),
        self._target_phrase(here, clause, inner[1]),
      ), None

    empty = [
      _Row(jnp.zeros(self._longest(n), jnp.int32), jnp.int32(0)) for n in (2, 3)
    ]
    levels = jnp.arange(self.depth + 1)
    start = (empty[0], empty[1])
    return jax.lax.scan(step, start, (levels, words), reverse=True)[0]

  def _source_phrase(
    self, words: _Words, clause: Int[Array, ""], inner: _Row
  ) -> _Row:
    noun = 1 + words.noun
    verb = 1 + self.nouns + words.verb
    adjectives = 1 + self.nouns + self.verbs + words.adjectives
    before = clause * (1 - words.object)
    after = clause * words.object
    rows = (adjectives, noun, _THAT, verb, inner.tokens, verb)
    counts = (words.modifiers, 1, clause, before, clause * inner.size, after)
    return _Row(*glued(stacked(*rows), jnp.stack(counts), len(inner.tokens)))

  def _target_phrase(
    self, words: _Words, clause: Int[Array, ""], inner: _Row
  ) -> _Row:
    noun = SYMBOLS + len(_MARKS) + words.noun
    verb = SYMBOLS + len(_MARKS) + self.nouns + words.verb
    form = words.noun % 2 * self.adjectives + words.adjectives
    adjectives = SYMBOLS + len(_MARKS) + self.nouns + self.verbs + form
    mark = jnp.where(words.object == 1, _SUBJECT, _OBJECT)
    rows = (inner.tokens, mark, verb, _WHO, noun, adjectives)
    counts = (clause * inner.size, clause, clause, clause, 1, words.modifiers)
    return _Row(*glued(stacked(*rows), jnp.stack(counts), len(inner.tokens)))

  def oracle(self, inputs: Sequence[Any]) -> list[Any]:
    """Reads the source from the left, as words, and applies the rules."""
    words = [self._names[token] for token in inputs]
    subject = self._read(words)
    verb = words.pop(0)
    target = [*subject, "SUBJ", *self._read(words), "OBJ", verb]
    everything = range(SYMBOLS, self.classes)
    tokens = {self.text([token]): token for token in everything}
    return [tokens[word] for word in target]

  def _read(self, words: list[str]) -> list[str]:
    """Takes a noun phrase from the front, and returns its translation."""
    adjectives = []
    while words[0] in ADJECTIVES:
      adjectives.append(words.pop(0))
    noun = words.pop(0)
    form = NOUNS.index(noun) % 2
    phrase = [noun, *(f"{word}.{form}" for word in adjectives)]
    if words[:1] != ["that"]:
      return phrase
    words.pop(0)
    if words[0] in VERBS:
      verb, mark = words.pop(0), "OBJ"
      other = self._read(words)
    else:
      other, mark = self._read(words), "SUBJ"
      verb = words.pop(0)
    return [*other, mark, verb, "REL", *phrase]
