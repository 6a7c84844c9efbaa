import jax
import numpy as np
import pytest

from research.tasks.addition import Addition
from research.tasks.transduction import BEGIN, END

TASK = Addition(digits=7)
COUNT = 4000


def tokens(text):
  return ["0123456789+".index(character) for character in text]


@pytest.mark.parametrize(
  "source, target", [("12+345", "357"), ("999+1", "1000"), ("0+0", "0")]
)
def test_examples_worked_by_hand(source, target):
  task, behind = Addition(), Addition(reverse=True)
  assert task.source_text(tokens(source)) == source
  assert task.text(task.oracle(tokens(source))) == target
  assert task.text([BEGIN, *task.oracle(tokens(source)), END]) == target
  assert behind.text(behind.oracle(tokens(source))) == target[::-1]


def test_all_sizes_come_and_carries_are_counted():
  """Carries as one counts them: of every place, from the last on."""
  batch = jax.jit(TASK.batch)(jax.random.split(jax.random.key(0), COUNT))
  source, places = jax.tree.map(np.asarray, batch.source)
  sizes = np.zeros((7, 7), int)
  for row in range(COUNT):
    text = TASK.source_text(source[row, places.segments[row] > 0].tolist())
    one, other = text.split("+")
    assert str(int(one)) == one and str(int(other)) == other
    sizes[len(one) - 1, len(other) - 1] += 1
    assert batch.slices["digits"][row, 0] == max(len(one), len(other))
    carries = sum(
      int(one) % 10**n + int(other) % 10**n >= 10**n for n in range(1, 8)
    )
    assert batch.slices["carries"][row, 0] == carries
  mean = COUNT / 49
  assert (np.abs(sizes - mean) < 5 * np.sqrt(mean)).all()
