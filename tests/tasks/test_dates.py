import datetime

import jax
import numpy as np
import pytest

from research.tasks.dates import (
  CHARACTERS,
  MONTHS,
  TEMPLATES,
  WEEKDAYS,
  Dates,
  _date,
  _days_before,
)
from research.tasks.transduction import BEGIN, END


def tokens(text):
  return [CHARACTERS.index(character) for character in text]


@pytest.mark.parametrize(
  "source, target",
  [
    ("March 5, 2021", "2021-03-05"),
    ("Fri 5 Mar 2021", "2021-03-05"),
    ("05-Mar-2021", "2021-03-05"),
    ("5.3.2021", "2021-03-05"),
    ("2021/03/05", "2021-03-05"),
    ("3/5/2021", "2021-03-05"),
    ("May 31, 1904", "1904-05-31"),
    ("12/1/2099", "2099-12-01"),
  ],
)
def test_examples_worked_by_hand(source, target):
  task = Dates()
  assert task.source_text(tokens(source)) == source
  assert task.text(task.oracle(tokens(source))) == target
  assert task.text([BEGIN, *task.oracle(tokens(source)), END]) == target


def test_the_calendar_is_pythons():
  """Every day of 800 years, with 1600, 1700, 1800, 1900 and 2000 in it."""
  first, last = datetime.date(1500, 1, 1), datetime.date(2299, 12, 31)
  assert _days_before(1500) == first.toordinal() - 1
  days = np.arange(first.toordinal(), last.toordinal() + 1) - 1
  found = np.stack(jax.jit(jax.vmap(_date))(days), axis=1)
  dates = [datetime.date.fromordinal(int(day) + 1) for day in days]
  wanted = [(date.year, date.month, date.day) for date in dates]
  np.testing.assert_array_equal(found, wanted)


def test_formats_are_alike_likely_and_weekdays_right():
  task, count = Dates(first=1999, last=2001), 6000
  batch = jax.jit(task.batch)(jax.random.split(jax.random.key(0), count))
  source, places = jax.tree.map(np.asarray, batch.source)
  formats = np.asarray(batch.slices["format"])[:, 0]
  seen = set()
  for row in range(count):
    text = task.source_text(source[row, places.segments[row] > 0].tolist())
    date = datetime.date.fromisoformat(
      task.text(batch.targets[row, :-1].tolist())
    )
    seen.add(date)
    template = [*TEMPLATES.values()][formats[row]]
    assert text == template.format(
      y=date.year,
      m=date.month,
      mm=f"{date.month:02}",
      d=date.day,
      dd=f"{date.day:02}",
      month=MONTHS[date.month - 1],
      mon=MONTHS[date.month - 1][:3],
      weekday=WEEKDAYS[date.weekday()],
    )
  mean = count / len(TEMPLATES)
  assert (np.abs(np.bincount(formats) - mean) < 5 * np.sqrt(mean)).all()
  assert datetime.date(2000, 2, 29) in seen
  assert min(seen).year == 1999 and max(seen).year == 2001
  assert len(seen) > 1000
