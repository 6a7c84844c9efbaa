import jax
import numpy as np
import pytest

from research.tasks.joined import Joined
from research.tasks.reverse import Reverse
from research.tasks.transcription import Transcription
from research.tasks.transduction import Transduction

TASK = Joined(Reverse())
KEYS = jax.random.split(jax.random.key(0), 50)


def test_the_oracle_on_the_example_of_the_docstring():
  answers = TASK.oracle([4, 0, 2, 8, 12, 10, 14, 0])
  assert answers == [None] * 3 + [12, 10, 14, 9] + [None]
  assert TASK.oracle([7, 8, 17]) == [None, 17, 9]


def test_the_row_is_the_tasks_own_source_and_target():
  ours, inner = jax.tree.map(
    np.asarray, (jax.jit(TASK.batch)(KEYS), jax.jit(Reverse().batch)(KEYS))
  )
  for row in range(len(KEYS)):
    source = inner.source[0][row, inner.source[1].segments[row] > 0]
    used = inner.weights[row] > 0
    wanted = [*source, *(8 + inner.inputs[row, used])]
    valid = ours.places.segments[row] > 0
    assert ours.inputs[row, valid].tolist() == wanted
    assert not ours.inputs[row, ~valid].any()
    assert valid.argmin() == len(wanted) or valid.all()
    assert ours.at[row, used].tolist() == [*range(len(source), len(wanted))]
    assert ours.targets[row, used].tolist() == [*(8 + inner.targets[row, used])]


def test_refused():
  task: Transduction = Transcription()
  with pytest.raises(ValueError, match="task = Transcription, whose source"):
    Joined(task)
