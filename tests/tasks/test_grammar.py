import jax
import numpy as np
import pytest

from research.tasks.grammar import Grammar
from research.tasks.transduction import BEGIN, END

TASK = Grammar(modifiers=2)


def tokens(text):
  names = {TASK.source_text([n]): n for n in range(TASK.vocabulary)}
  return [names[word] for word in text.split()]


@pytest.mark.parametrize(
  "source, target",
  [
    (
      "dog that sees small cat likes fish",
      "cat small.1 OBJ sees REL dog SUBJ fish OBJ likes",
    ),
    (
      "dog that small old cat sees likes big fish",
      "cat small.1 old.1 SUBJ sees REL dog SUBJ fish big.1 OBJ likes",
    ),
    (
      "cat likes dog that bird that sees fish helps",
      "cat SUBJ fish OBJ sees REL bird SUBJ helps REL dog OBJ likes",
    ),
  ],
)
def test_examples_worked_by_hand(source, target):
  assert TASK.source_text(tokens(source)) == source
  assert TASK.text(TASK.oracle(tokens(source))) == target
  assert TASK.text([BEGIN, *TASK.oracle(tokens(source)), END]) == target


def test_every_derivation_comes():
  """All depths of both phrases, both clauses, all numbers of adjectives."""
  count = 3000
  batch = jax.jit(TASK.batch)(jax.random.split(jax.random.key(0), count))
  targets = np.asarray(batch.targets)
  names = {TASK.text([n]): n for n in range(2, TASK.classes)}
  clauses = np.sum(targets == names["REL"], axis=1)
  # Two phrases with none, one or two clauses each.
  wanted = count * np.array([1, 2, 3, 2, 1]) / 9
  found = np.bincount(clauses)
  assert (np.abs(found - wanted) < 5 * np.sqrt(wanted)).all()
  # The deeper of the phrases has at least half of them.
  depth = np.asarray(batch.slices["depth"])[:, 0]
  assert ((clauses + 1) // 2 <= depth).all() and (depth <= clauses).all()
  sizes = np.sum(np.asarray(batch.source[1].segments), axis=1)
  np.testing.assert_array_equal(batch.slices["size"][:, 0], sizes)
  subjects = np.sum(targets == names["SUBJ"]) - count
  assert abs(subjects - clauses.sum() / 2) < 5 * np.sqrt(clauses.sum() / 4)
  # Every word and every form is written.
  assert {*np.unique(targets)} == {*range(TASK.classes)}
