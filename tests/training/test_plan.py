"""What does not fit is refused before anything is compiled."""

import dataclasses

import pytest

from research.attention.layer import Attention
from research.mixer import Mixer
from research.positions.learned import LearnedPosition
from research.positions.rotary import Rotary
from research.tasks.base import SquaredError
from research.tasks.grammar import Grammar
from research.tasks.labelling import ContextLabelling
from research.tasks.patterns import NoisyPatterns
from research.tasks.randomised import RandomisedPositions
from research.training.plan import check_tests, fit, plan
from tests.training import reversal
from tests.training.problem import MODEL, TASK, TRAINING


def model(**fields):
  return MODEL.copy(parent=None, **fields)


def tables(source, target):
  """The model that reads a source, with learned positions."""
  return reversal.MODEL.copy(
    parent=None,
    source_position=LearnedPosition(length=source),
    target_position=LearnedPosition(length=target),
  )


def test_the_task_tells_the_model_its_sizes():
  fitted = fit(MODEL, TASK)
  assert (fitted.vocabulary, fitted.classes) == (8, 8)
  assert (MODEL.vocabulary, MODEL.classes) == (0, 0)
  assert fit(fitted, TASK) == fitted
  vectors = fit(model(pooling="mean"), NoisyPatterns())
  assert (vectors.vocabulary, vectors.classes) == (0, 8)


CASES = {
  "vocabulary": (model(vocabulary=9), TASK, r"model.vocabulary = 9 .* 0 or 8"),
  "classes": (model(classes=3), TASK, r"model.classes = 3 .* allowed: 0 or 8"),
  "pooling": (
    model(pooling="mean"),
    TASK,
    "model.pooling = 'mean' with Before; allowed: none",
  ),
  "no pooling": (
    MODEL,
    NoisyPatterns(),
    "model.pooling = 'none' .* allowed: mean, first or last",
  ),
  "heads": (
    model(mixer=Attention(heads=3)),
    TASK,
    "heads = 3 does not divide width 8; allowed: a divisor",
  ),
  "rotary": (
    model(mixer=Attention(heads=8, position=Rotary())),
    TASK,
    "key width = 1 cannot be rotated; allowed: even",
  ),
  "positions": (
    model(position=LearnedPosition(length=7)),
    TASK,
    r"model.position.length = 7 with positions up to 7; allowed: 8 or more",
  ),
  "no source": (
    reversal.MODEL,
    TASK,
    "model = EncoderDecoder with Before; allowed: SequenceModel",
  ),
  "source": (
    MODEL,
    reversal.TASK,
    "model = SequenceModel with Located; allowed: EncoderDecoder",
  ),
  "source positions": (
    tables(source=3, target=5),
    reversal.TASK,
    "model.source_position.length = 3 with positions up to 3; allowed: 4 or",
  ),
  "target positions": (
    tables(source=4, target=4),
    reversal.TASK,
    "model.target_position.length = 4 with positions up to 4; allowed: 5 or",
  ),
  "one-hot": (
    model(width=4, embedding="one_hot"),
    TASK,
    "vocabulary 8 does not fit width 4",
  ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_does_not_fit_is_refused(name):
  made, task, message = CASES[name]
  with pytest.raises(ValueError, match=message):
    plan(task, made, TRAINING)


def test_positions_that_a_task_tells_are_believed():
  task = RandomisedPositions(TASK, limit=500)
  plan(task, model(position=LearnedPosition(length=500)), TRAINING)
  with pytest.raises(ValueError, match="positions up to 499; allowed: 500 or"):
    plan(task, model(position=LearnedPosition(length=499)), TRAINING)


def test_source_and_target_have_tables_of_their_own_lengths():
  plan(reversal.TASK, tables(source=4, target=5), TRAINING)


def test_the_longest_source_counts_and_not_those_that_are_likely():
  task = Grammar()
  length = task.source_length
  plan(task, tables(length, task.length), TRAINING)
  last = f"positions up to {length - 1}; allowed: {length} or more"
  with pytest.raises(ValueError, match="model.source_position.* " + last):
    plan(task, tables(length - 1, task.length), TRAINING)


def test_labels_are_not_smoothed_where_there_are_none():
  smooth = dataclasses.replace(TRAINING, label_smoothing=0.1)
  plan(TASK, MODEL, smooth)
  message = "training.label_smoothing = 0.1 with Regression; allowed: 0, as"
  with pytest.raises(ValueError, match=message):
    plan(Regression(), MODEL, smooth)


@dataclasses.dataclass(frozen=True)
class Regression(type(TASK)):
  """The tokens before are numbers to come close to."""

  objective: SquaredError = SquaredError()
  classes: int = 1

  def sample(self, key):
    example = super().sample(key)
    targets = example.targets[:, None].astype("float32")
    return dataclasses.replace(example, targets=targets)


class Uncounted(Attention):
  """Leaves out what nothing needs before its costs are counted."""

  state_size = Mixer.state_size


def test_a_state_that_cannot_be_counted_is_found_first():
  with pytest.raises(NotImplementedError, match="Uncounted has no 'state_siz"):
    plan(TASK, model(mixer=Uncounted()), TRAINING)


def test_a_test_task_has_to_fit_the_trained_model():
  ready = plan(TASK, model(position=LearnedPosition(length=8)), TRAINING)
  check_tests(ready, {"test": TASK})
  longer = dataclasses.replace(TASK, length=10)
  with pytest.raises(ValueError, match="positions up to 9; allowed: 10"):
    check_tests(ready, {"test": TASK, "longer": longer})
  other = ContextLabelling(classes=4, length=8, distances=(1,))
  with pytest.raises(ValueError, match="model.classes = 8 .* allowed: 0 or 4"):
    check_tests(ready, {"other": other})


@dataclasses.dataclass(frozen=True)
class Unlearnt(type(TASK)):
  """Has no examples to be trained on."""

  def split(self, name):
    if name != "test":
      raise ValueError(f"part = 'test' has no split {name!r}; allowed: test")
    return self


def test_a_task_without_a_training_split_can_be_tested_on_only():
  task = Unlearnt()
  check_tests(plan(TASK, MODEL, TRAINING), {"other": task})
  with pytest.raises(ValueError, match="no split 'train'"):
    plan(task, MODEL, TRAINING)
