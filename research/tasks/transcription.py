"""Transcription: a text is read from the sound in which it was spoken."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from research.record import check_choice, check_number, check_share
from research.shapes import RandomKey
from research.sound.mel import HOP, WINDOW, log_mel, mel, normalised, samples
from research.sound.phrases import CHARACTERS, LONGEST, Part, table
from research.sound.tones import (
  BLOCK,
  PARTS,
  Timing,
  frequencies,
  patterns,
  timing,
  waveform,
)
from research.tasks.base import Example, Split
from research.tasks.transduction import SYMBOLS, Transduction, own_numbers

RATE = 4000
"""Samples a second."""

Order = Literal["phrase", "shuffled"]

_CENTRE = samples(WINDOW, RATE) // 2
_HOP = samples(HOP, RATE)
_LEAD = 2 * _HOP
"""The longest silence before the first character, in samples."""

_TAIL = 2
"""Windows of silence behind the last character."""


@dataclasses.dataclass(frozen=True)
class Transcription(Transduction):
  """Log-mel spectra of a spoken phrase are written down as characters.

  A character is three tones one after the other, all in an order of its own
  (`research/sound/tones.py`); the space is silent. Windows of 25 ms, one every
  10 ms, hear more than one tone at a time and never the order, so that no
  table from windows to characters will do. Characters differ in length,
  phrases in speed; tones differ in amplitude and phase, run into each other,
  and white noise is added. `alignment` says which windows are a character's.

    source  27 log-mel spectra        target  机 器 学 习 END

  Scores: the best constant is END or the most frequent character (`chance`).
  Cost: O(samples + frames · 25 ms · bands) an example.

  Attributes:
    order: of the characters: that of the phrase; or drawn anew for every
      example, so that what was written before says nothing of what comes.
    part: which phrases there are; modifiers and nouns of "test" are trained
      on, their pairs are not.
    bands: of the log-mel spectra.
    snr: the power of the loudest tone over that of the noise, in dB.
    duration: seconds a character takes at speed 1, on average over a phrase.
    speed: of phrases, from 1 − speed to 1 + speed.
    spread: of the characters of a phrase, in length, from 1 − spread to
      1 + spread.
    gap: the largest share of a character's time that is silent at its end.
    overlap: seconds in which a tone fades while the next one begins.
  """

  order: Order = "phrase"
  part: Part = "all"
  bands: int = 16
  snr: float = 5.0
  duration: float = 0.05
  speed: float = 0.15
  spread: float = 0.2
  gap: float = 0.2
  overlap: float = 0.006

  def __post_init__(self) -> None:
    check_choice(self, "order", Order)
    check_choice(self, "part", Part)
    why = "as these are wider than the steps between frequencies"
    check_number(self, "bands", 2, 40, why)
    for name in ("speed", "spread", "gap"):
      check_share(self, name)
    if not abs(self.snr) <= 100:
      raise ValueError(f"snr = {self.snr}; allowed: -100 to 100")
    slowest = 1 - self.speed
    if not self.duration <= slowest:
      raise ValueError(
        f"duration = {self.duration}; allowed: at most 1 - speed = {slowest} s"
      )
    if not self.overlap >= 0:
      raise ValueError(f"overlap = {self.overlap}; allowed: 0 or more")
    shortest = self._shortest_tone
    if not shortest >= max(self.overlap, BLOCK / RATE):
      raise ValueError(
        f"duration = {self.duration} makes tones as short as {shortest:.4f} s; "
        f"allowed: {BLOCK / RATE} s and overlap = {self.overlap} s, or more, "
        "which a longer duration or less speed, spread and gap give"
      )

  @property
  def _shortest_tone(self) -> float:
    slot = self.duration / (1 + self.speed)
    slot *= (1 - self.spread) / (1 + self.spread)
    return slot * (1 - self.gap) / PARTS - 1 / RATE  # whole samples

  @property
  def vocabulary(self) -> int:
    return 0

  @property
  def classes(self) -> int:
    return SYMBOLS + len(CHARACTERS)

  @property
  def length(self) -> int:
    return LONGEST + 1

  @property
  def source_length(self) -> int:
    slowest = LONGEST * self.duration * RATE / (1 - self.speed)
    return math.ceil((_LEAD + slowest) / _HOP) + _TAIL

  @property
  def chance(self) -> float:
    phrases = table(self.part)
    there = np.arange(LONGEST) < phrases.sizes[:, None]
    counts = np.bincount(phrases.characters[there])
    ends = len(phrases.sizes)
    return float(max(counts.max(), ends) / (counts.sum() + ends))

  def split(self, name: Split) -> "Transcription":
    """The record restricted to the phrases of one split.

    Raises:
      ValueError: it is restricted to another one already.
    """
    if self.part not in ("all", name):
      raise ValueError(
        f"part = {self.part!r} has no split {name!r}; allowed: 'all', which "
        "has every split"
      )
    return dataclasses.replace(self, part=name)

  def text(self, tokens: Sequence[int]) -> str:
    return "".join(CHARACTERS[number] for number in own_numbers(tokens))

  def sample(self, key: RandomKey) -> Example:
    row, when = self._plan(key)
    phrases = table(self.part)
    size = jnp.asarray(phrases.sizes)[row]
    characters = self._characters(key, row)
    count = _frame(jnp.max(when.ends)) + _TAIL
    spectra = log_mel(self._sound(key, characters, when), RATE, self.bands)
    valid = jnp.arange(self.source_length) < count
    script = jnp.asarray(phrases.scripts)[row]
    target = jnp.pad(SYMBOLS + characters, (0, 1))
    slices = {"script": script, "size": size}
    heard = normalised(spectra, valid)
    example = self.pair(heard, count, target, size, slices)
    return dataclasses.replace(example, alignment=self._aligned(when, size))

  def sound(self, key: RandomKey) -> Float[Array, "samples"]:
    """The waveform that `sample` hears, `RATE` samples a second."""
    row, when = self._plan(key)
    return self._sound(key, self._characters(key, row), when)

  def oracle(self, inputs: Sequence[Any]) -> list[Any]:
    """What was spoken, from the windows of each character.

    Unlike other oracles it reads tables of `research`, as a phrase means
    nothing without them: the tones of each character and their frequencies,
    which were drawn once for all, and where a band lies on the mel scale. It
    shares nothing with the way from a phrase to its spectra.

    Every window says how loud the tone is that its character would have at
    that time, and the character with the loudest tones is taken; the space
    where the middle of it is no louder than the phrase on average. It is right
    where noise is low and tones take two windows or more.

    Args:
      inputs: of each character the spectra of its windows, as the alignment
        says.
    """
    *tones, top = mel(np.append(frequencies(RATE), RATE / 2)).tolist()
    bands = [round(tone / top * (self.bands + 1)) - 1 for tone in tones]
    codes = patterns(len(CHARACTERS)).tolist()
    answers: list[Any] = []
    for heard in inputs:
      loud = [[spectrum[band] for band in bands] for spectrum in heard]
      sums = [
        sum(
          row[code[PARTS * (2 * i + 1) // (2 * len(loud))]]
          for i, row in enumerate(loud)
        )
        for code in codes[1:]
      ]
      silent = max(loud[len(loud) // 2]) < 0
      best = 0 if silent else 1 + sums.index(max(sums))
      answers.append(SYMBOLS + best)
    return answers

  def _characters(self, key: RandomKey, row: Array) -> Int[Array, "t"]:
    """Those of a phrase, in the order in which they are spoken."""
    phrases = table(self.part)
    characters = jnp.asarray(phrases.characters)[row]
    if self.order == "phrase":
      return characters
    drawn = jax.random.uniform(jax.random.fold_in(key, 2), characters.shape)
    there = jnp.arange(LONGEST) < jnp.asarray(phrases.sizes)[row]
    return characters[jnp.argsort(jnp.where(there, drawn, jnp.inf))]

  def _plan(self, key: RandomKey) -> tuple[Int[Array, ""], Timing]:
    """The number of the phrase, and when its characters sound."""
    for_row, for_speed, for_timing, for_lead = jax.random.split(key, 4)
    phrases = table(self.part)
    row = jax.random.randint(for_row, (), 0, len(phrases.sizes))
    slowest, fastest = 1 - self.speed, 1 + self.speed
    pace = jax.random.uniform(for_speed, minval=slowest, maxval=fastest)
    size = jnp.asarray(phrases.sizes)[row]
    total = jnp.floor(size * (self.duration * RATE) / pace)
    when = timing(
      for_timing,
      size,
      LONGEST,
      total=total.astype(jnp.int32),
      spread=self.spread,
      gap=self.gap,
    )
    lead = _CENTRE + jax.random.randint(for_lead, (), 0, _LEAD)
    return row, Timing(when.starts + lead, when.ends + lead)

  def _aligned(self, when: Timing, size: Int[Array, ""]) -> Int[Array, "t 2"]:
    """The windows of each token: its first, and the one behind its last.

    A window belongs to the character that sounds at its middle; those in gaps
    belong to none. END has the silence at the end; 0 0 is padding.
    """
    index = jnp.arange(self.length)[:, None]
    spoken = jnp.pad(_frame(jnp.stack(when, axis=1)), ((0, 1), (0, 0)))
    end = _frame(jnp.max(when.ends)) + jnp.array([[0, _TAIL]])
    return jnp.where(index < size, spoken, jnp.where(index == size, end, 0))

  def _sound(
    self, key: RandomKey, characters: Int[Array, "t"], when: Timing
  ) -> Float[Array, "samples"]:
    for_tones, for_noise = jax.random.split(jax.random.fold_in(key, 1))
    count = 2 * _CENTRE + (self.source_length - 1) * _HOP
    tones = jnp.asarray(patterns(len(CHARACTERS)))[characters]
    sound = waveform(
      for_tones,
      tones,
      when,
      rate=RATE,
      count=count,
      overlap=self.overlap * RATE,
    )
    level = math.sqrt(0.5 * 10 ** (-self.snr / 10))
    return sound + level * jax.random.normal(for_noise, (count,))


def _frame(sample: Int[Array, "*any"]) -> Int[Array, "*any"]:
  """The first window whose middle is not before a sample."""
  return (sample - _CENTRE + _HOP - 1) // _HOP
