"""What all tasks have in common: examples from keys, an oracle, an objective.

Every example comes from a key of its own. A finite training set of N
examples is a choice of N keys, so that data-size studies need no storage.
"""

import dataclasses
import inspect
from collections.abc import Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from research.places import Places
from research.shapes import RandomKey, lacks

Split = Literal["train", "validation", "test"]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Example:
  """One example; a batch is the same with a first axis `b`.

  Attributes:
    inputs: tokens Int[t] or vectors Float[t i].
    places: where they stand, [t].
    targets: Int[a] classes, or Float[a c] to regress on.
    weights: Float[a]; the one array that loss and metrics both use.
    at: Int[a], the indices of the scored positions; None where all t are
      scored in order, or where the sequence has one label (a = 1).
    slices: Int[a] by name: what the accuracy is reported by.
    origins: Int[a], the index of the one input that holds the answer; None
      where there is no such one. Slopes are measured with respect to it.
    alignment: Int[a 2], the first position of the source that an answer is
      made from, and the first one behind it; None where they are unknown.
    source: another sequence that the answer is made from, (inputs, places);
      None where there is no such one.
  """

  # Loosely annotated, as transformations put axes and shapes in place.
  inputs: Any
  places: Places
  targets: Any
  weights: Any
  at: Any
  slices: dict[str, Any]
  origins: Any = None
  source: Any = None
  alignment: Any = None

  def given(self) -> dict[str, Any]:
    """What a model is called with, by name."""
    given = {"inputs": self.inputs, "places": self.places}
    return given if self.source is None else {**given, "source": self.source}


@dataclasses.dataclass(frozen=True)
class CrossEntropy:
  """Classification: cross-entropy in nats, and accuracy."""

  metric: str = dataclasses.field(default="accuracy", init=False)

  def loss(
    self,
    outputs: Float[Array, "b a c"],
    targets: Int[Array, "b a"],
    smoothing: float = 0.0,
  ) -> Float[Array, "b a"]:
    """−log softmax(outputs) at the target.

    A share `smoothing` of it is the mean over all classes (Szegedy 2016).
    NaN for a target that is no class.
    """
    outputs = outputs.astype(jnp.float32)
    # A negative index would count from the end.
    targets = targets.astype(jnp.int32)
    targets = jnp.where(targets < 0, outputs.shape[-1], targets)
    chosen = jnp.take_along_axis(outputs, targets[..., None], axis=-1)[..., 0]
    if smoothing:
      mean = jnp.mean(outputs, axis=-1)
      chosen = (1 - smoothing) * chosen + smoothing * mean
    return jax.nn.logsumexp(outputs, axis=-1) - chosen

  def score(
    self, outputs: Float[Array, "b a c"], targets: Int[Array, "b a"]
  ) -> Float[Array, "b a"]:
    """1 where the largest output is the target's."""
    return (jnp.argmax(outputs, axis=-1) == targets).astype(jnp.float32)


@dataclasses.dataclass(frozen=True)
class SquaredError:
  """Regression: the squared error, summed over outputs; lower is better."""

  metric: str = dataclasses.field(default="negative_error", init=False)

  def loss(
    self, outputs: Float[Array, "b a c"], targets: Float[Array, "b a c"]
  ) -> Float[Array, "b a"]:
    """Σ_c (output − target)²."""
    return jnp.sum(jnp.square(outputs - targets), axis=-1)

  def score(
    self, outputs: Float[Array, "b a c"], targets: Float[Array, "b a c"]
  ) -> Float[Array, "b a"]:
    """−Σ_c (output − target)², so that more is better."""
    return -self.loss(outputs, targets)


Objective = CrossEntropy | SquaredError


@dataclasses.dataclass(frozen=True)
class Task:
  """A frozen record of a task's difficulty axes. Abstract.

  Every task also says `vocabulary` (0 for vectors), `classes`, `length`, and
  whether it has one label per sequence. Each of these may be a property or,
  where it is an axis, a field with a default: `length: int = 64`.
  """

  def __init_subclass__(cls) -> None:
    # Without a default a dataclass would take the property itself for one.
    for name in inspect.get_annotations(cls):
      told = isinstance(getattr(Task, name, None), property)
      if told and name not in vars(cls):
        raise TypeError(
          f"{cls.__name__}.{name} has no default; allowed: a field with a "
          "default, as every task has a property of this name"
        )
    super().__init_subclass__()

  def sample(self, key: RandomKey) -> Example:
    """One example from its own key: pure, of static shapes."""
    raise NotImplementedError(lacks(self, "sample"))

  def oracle(self, inputs: Sequence[Any]) -> list[Any]:
    """The right answer at every position, in plain slow Python.

    One answer for the whole sequence where the task has one label. What
    stands at positions that are not scored has no meaning.
    """
    raise NotImplementedError(lacks(self, "oracle"))

  @property
  def vocabulary(self) -> int:
    """The number of input tokens; 0 where inputs are vectors."""
    raise NotImplementedError(lacks(self, "vocabulary"))

  @property
  def classes(self) -> int:
    """The number of outputs c."""
    raise NotImplementedError(lacks(self, "classes"))

  @property
  def length(self) -> int:
    """t, the length of an example."""
    raise NotImplementedError(lacks(self, "length"))

  @property
  def per_sequence(self) -> bool:
    """Whether there is one label for the whole sequence."""
    return False

  @property
  def reads_source(self) -> bool:
    """Whether its examples have a `source`, and an encoder is needed."""
    return False

  @property
  def positions(self) -> int | None:
    """A number above every position of an example; None if unknown."""
    return None

  @property
  def examples(self) -> int | None:
    """How many different examples there are; None where every key has its own.

    Where it is a number, keys draw from these examples with replacement.
    """
    return None

  @property
  def objective(self) -> Objective:
    """Loss and score."""
    return CrossEntropy()

  @property
  def chance(self) -> float:
    """The best score of an answer that looks at no other token."""
    return 1.0 / self.classes

  def split(self, name: Split) -> "Task":
    """The task restricted to one split.

    Sampled tasks need nothing: their splits differ by their keys.
    """
    return self

  def batch(self, keys: Array) -> Example:
    """A batch from keys [b]."""
    return jax.vmap(self.sample)(keys)


def plain_places(length: int) -> Places:
  """The places of an example that is one whole sequence, [t]."""
  return Places(jnp.arange(length), jnp.ones(length, jnp.int32))


def packed_places(segments: Int[Array, "t"]) -> Places:
  """The places of several sequences side by side: each counts from 0."""
  index = jnp.arange(len(segments))
  begins = jnp.diff(segments, prepend=segments[:1]) != 0
  start = jax.lax.cummax(jnp.where(begins, index, 0))
  return Places(index - start, segments)
