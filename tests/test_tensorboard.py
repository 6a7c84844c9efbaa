import struct
import sys

import pytest

from research.report.tensorboard import write_events
from tests import fabricated


def events(path):
  """The scalars of an event file: (tag, step, value)."""
  from tensorboardX.proto.event_pb2 import Event

  data, at, found = path.read_bytes(), 0, []
  while at < len(data):
    (size,) = struct.unpack("<Q", data[at : at + 8])
    event = Event.FromString(data[at + 12 : at + 12 + size])
    found += [
      (value.tag, event.step, value.simple_value)
      for value in event.summary.value
    ]
    at += 12 + size + 4
  return found


TWO = fabricated.experiment().only(("gru", "lstm"))


@pytest.fixture
def folder(tmp_path):
  return fabricated.write_folder(tmp_path / "run", TWO)


def test_every_member_has_its_curves(folder):
  target = write_events(folder)
  assert target == folder / "tensorboard"
  files = sorted(target.rglob("events.*"))
  assert len(files) == 2 * 2 * 5
  (path,) = (target / "gru" / "rate_3e-3" / "seed_2").iterdir()
  lines = [
    line
    for line in fabricated.curves(TWO)
    if (line["variant"], line["seed"], line["learning_rate"])
    == ("gru", 2, 0.003)
  ]
  found = events(path)
  assert len(found) == 3 * len(lines)
  for key, tag in (
    ("loss", "loss/training"),
    ("validation_loss", "loss/validation"),
    ("validation", "score/validation"),
  ):
    written = [(step, value) for name, step, value in found if name == tag]
    assert [step for step, _ in written] == [line["step"] for line in lines]
    assert [value for _, value in written] == pytest.approx(
      [line[key] for line in lines], rel=1e-6
    )


def test_written_again_nothing_is_doubled(folder):
  stale = write_events(folder) / "gru" / "events.of.an.earlier.run"
  stale.touch()
  write_events(folder)
  assert len(list((folder / "tensorboard").rglob("events.*"))) == 20


def test_the_missing_library_is_named_with_its_extra(folder, monkeypatch):
  monkeypatch.setitem(sys.modules, "tensorboardX", None)
  with pytest.raises(ModuleNotFoundError, match=r"mixerlab\[tensorboard\]"):
    write_events(folder)
