"""Runs with their reports, written once for all tests, and how to read them."""

import atexit
import dataclasses
import functools
import html.parser
import pathlib
import shutil
import tempfile

import pytest

from research.experiment import Bound, Change, Claim, Measure
from research.report.write import write_report
from research.training.record import Training
from tests import fabricated

NAMES = ("accuracy", "difficulty", "tests", "state_size", "train_time")
NAMES += ("flops", "curves")
EVIL = 'Is <script>alert("1")</script> & `x|y` *safe*?'


class Page(html.parser.HTMLParser):
  """What stands in a page: tags with attributes, and text by tag."""

  def __init__(self, text):
    super().__init__()
    self.tags, self.open, self.texts = [], [], []
    self.feed(text)

  def handle_starttag(self, tag, attrs):
    self.tags.append((tag, dict(attrs)))
    if tag not in ("meta", "wbr", "path", "use"):
      self.open.append(tag)

  def handle_endtag(self, tag):
    if tag in self.open:
      while self.open.pop() != tag:
        pass

  def handle_data(self, data):
    self.texts.append((self.open[-1] if self.open else "", data))

  def all(self, tag):
    return [text for name, text in self.texts if name == tag]

  @property
  def text(self):
    style = ("style", "title")
    return " ".join(
      "".join(text for tag, text in self.texts if tag not in style).split()
    )


@functools.cache
def place() -> pathlib.Path:
  """A folder that is removed at the end of the process."""
  path = tempfile.mkdtemp()
  atexit.register(shutil.rmtree, path, ignore_errors=True)
  return pathlib.Path(path)


@functools.cache
def plain() -> pathlib.Path:
  """A run of eight variants, with its report."""
  made = fabricated.write_folder(place() / "plain")
  assert write_report(made) == made / "report.html"
  return made


@functools.cache
def strange() -> pathlib.Path:
  """One seed, chosen on test, a diverged variant, evil texts."""
  with pytest.MonkeyPatch.context() as patch:
    made = dataclasses.replace(fabricated.MADE["lstm"], diverged=(0,))
    patch.setitem(fabricated.MADE, "lstm", made)
    path = place() / "strange"
    write_report(fabricated.write_folder(path, _odd()))
    return path


def _odd():
  left, right = Measure("gru", "pairs=4"), Measure("gru", "pairs=8")
  claim = Claim("evil", EVIL, left, right, 0.1)
  return fabricated.experiment(
    seeds=1,
    question=EVIL,
    background="",
    variants=(Change("lstm"), Change("gru")),
    tests=(),
    claims=(claim,),
    bounds=(Bound("gru", "all", 0.75),),
    training=Training(seeds=1, selection="test", learning_rates=(0.001, 0.003)),
  )
