"""What one program trains: a task, a model made for it, and a budget."""

import dataclasses
from collections.abc import Mapping
from typing import Any, cast

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from research.models.encoder_decoder import EncoderDecoder
from research.models.model import Model
from research.positions.base import InputPosition
from research.record import walk
from research.tasks.base import CrossEntropy, Example, Split, Task
from research.tasks.transduction import Transduction
from research.training.record import Training


@dataclasses.dataclass(frozen=True)
class Plan:
  """A variant ready to be compiled; made by `plan`."""

  task: Task
  model: Model
  training: Training

  def apply(
    self,
    parameters: dict,
    batch: Example,
    dropout: jax.Array | None = None,
  ) -> Float[Array, "b a c"]:
    """The outputs at the scored positions of a batch.

    With a key of `dropout` mixers, too, may draw random numbers.
    """
    outputs = self.model.apply(
      {"params": parameters},
      **batch.given(),
      at=batch.at,
      deterministic=dropout is None,
      rngs={} if dropout is None else {"dropout": dropout},
    )
    return cast(Array, outputs)

  def judge(
    self,
    parameters: dict,
    batch: Example,
    dropout: jax.Array | None = None,
    smoothing: float = 0.0,
  ) -> tuple[Float[Array, "b a"], Float[Array, "b a"]]:
    """Loss and score of every position of a batch that is scored, else 0.

    Where the loss is not finite the score is NaN: of outputs that are NaN
    the first is the largest, which would score by luck.
    """
    scored = batch.weights > 0
    objective = self.task.objective
    outputs = self.apply(parameters, batch, dropout)
    # A target that nobody asks for may be NaN, and so would its gradient be.
    extra = (1,) * (batch.targets.ndim - scored.ndim)
    asked = scored.reshape(scored.shape + extra)
    targets = jnp.where(asked, batch.targets, jnp.zeros_like(batch.targets))
    how = {"smoothing": smoothing} if smoothing else {}
    loss = objective.loss(outputs, targets, **how)
    score = objective.score(outputs, targets)
    score = jnp.where(jnp.isfinite(loss), score, jnp.nan)
    return jnp.where(scored, loss, 0.0), jnp.where(scored, score, 0.0)

  def loss(
    self,
    parameters: dict,
    batch: Example,
    dropout: jax.Array | None = None,
  ) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """The weighted sum of the losses of a batch, and the sum of weights."""
    smoothing = self.training.label_smoothing
    losses, _ = self.judge(parameters, batch, dropout, smoothing)
    return jnp.sum(losses * batch.weights), jnp.sum(batch.weights)


def plan(task: Task, model: Model, training: Training) -> Plan:
  """Fits the model to the task and tries the whole without training.

  Raises:
    ValueError: whatever does not fit, with field, value and what is allowed.
  """
  ready = Plan(task, fit(model, task), training)
  smoothed = training.label_smoothing > 0
  if smoothed and not isinstance(task.objective, CrossEntropy):
    raise ValueError(
      f"training.label_smoothing = {training.label_smoothing} with "
      f"{type(task).__name__}; allowed: 0, as it has no classes"
    )
  _try(ready, ("train", "validation", "test"))
  return ready


def check_tests(ready: Plan, tests: Mapping[str, Task]) -> None:
  """Tries the test tasks without training.

  Raises:
    ValueError: a test task does not fit the model.
  """
  others = [task for task in tests.values() if task != ready.task]
  parameters = _parameters(ready) if others else None
  for task in others:
    model = fit(ready.model, task)
    there = dataclasses.replace(ready, task=task, model=model)
    _try(there, ("test",), parameters)


def fit(model: Model, task: Task) -> Model:
  """The model with the vocabulary and the classes of the task.

  Raises:
    ValueError: the model says otherwise, or pools where it should not.
  """
  for name in ("vocabulary", "classes"):
    own, wanted = getattr(model, name), getattr(task, name)
    if own not in (0, wanted):
      raise ValueError(
        f"model.{name} = {own} with {type(task).__name__}, which has "
        f"{wanted}; allowed: 0 or {wanted}"
      )
  reads = isinstance(model, EncoderDecoder)
  if task.reads_source != reads:
    allowed = "EncoderDecoder" if task.reads_source else "SequenceModel"
    raise ValueError(
      f"model = {type(model).__name__} with {type(task).__name__}; allowed: "
      + allowed
    )
  if not reads and task.per_sequence != (model.pooling != "none"):
    allowed = "mean, first or last" if task.per_sequence else "none"
    raise ValueError(
      f"model.pooling = {model.pooling!r} with {type(task).__name__}; "
      f"allowed: {allowed}"
    )
  return model.copy(
    parent=None, vocabulary=task.vocabulary, classes=task.classes
  )


def _try(
  ready: Plan, splits: tuple[Split, ...], parameters: Any = None
) -> None:
  """Makes shapes of batches, of a loss, and of the parameters if not given."""
  if parameters is None:
    parameters = _parameters(ready)
  ready.model.state_size(ready.task.length)
  tasks = [ready.task.split(name) for name in splits]
  batches = [_batch(task) for task in tasks]
  jax.eval_shape(ready.loss, parameters, batches[0])
  _check_reach(tasks[0], ready.model)


def _parameters(ready: Plan) -> Any:
  """The shapes of the parameters."""
  batch = _batch(ready.task.split("train"))
  key = jax.random.key(0)
  shapes = jax.eval_shape(
    lambda batch: ready.model.init(key, **batch.given()), batch
  )
  return shapes["params"]


def _batch(task: Task) -> Example:
  """The shapes of a batch of two examples."""
  made: Example = jax.eval_shape(
    task.batch, jax.random.split(jax.random.key(0), 2)
  )
  return made


def _check_reach(task: Task, model: Model) -> None:
  """Refuses positions beyond a learned table, which would be NaN."""
  for path, part in walk(model):
    if not isinstance(part, InputPosition) or part.reach is None:
      continue
    last = _last(task, source=path.startswith("source"))
    if last >= part.reach:
      raise ValueError(
        f"model.{path}.length = {part.reach} with positions up to {last}; "
        f"allowed: {last + 1} or more"
      )


def _last(task: Task, source: bool) -> int:
  """The last position of an example, or of its source.

  Where a task does not tell, some examples are looked at.
  """
  if source and isinstance(task, Transduction):
    return task.source_length - 1
  if task.positions is not None and not source:
    return task.positions - 1
  keys = jax.random.split(jax.random.key(0), 64)

  def most() -> jax.Array:
    example = task.batch(keys)
    places = example.source[1] if source else example.places
    return jnp.max(places.positions)

  return int(jax.jit(most)())
