"""How strongly a right answer depends on the one input that holds it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from research.tasks.base import Example
from research.training.plan import Plan

SLOPE = "slope"

SMALLEST = float(np.finfo(np.float32).tiny)
"""What a norm counts as that is smaller: log₁₀ of it is −37.9."""


def slopes(plan: Plan, parameters: Any, batch: Example) -> Float[Array, "b a"]:
  """log₁₀ of ‖∂y/∂e_o‖ / ‖∂y/∂e_a‖ of every scored position a of a batch.

  y is the output of the right class at a, before the softmax; e are the
  embedded inputs, before positions are added; o is the input that holds the
  answer. Dividing by the slope at the position that asks takes out the scale
  of the outputs and of the last norm. A norm below the smallest normal
  float32 counts as that one.

  Cost: a backward passes through the model for a scored positions.
  """
  model = plan.model

  def right(shift: Array) -> Float[Array, "b a"]:
    outputs: Any = model.apply(
      {"params": parameters, "perturbations": {"embedded": shift}},
      batch.inputs,
      batch.places,
      at=batch.at,
    )
    chosen = jnp.take_along_axis(outputs, batch.targets[..., None], axis=-1)
    return chosen[..., 0]

  shape = (*batch.inputs.shape[:2], model.width)
  y, backward = jax.vjp(right, jnp.zeros(shape, jnp.dtype(model.precision)))

  def one(index: Int[Array, ""]) -> Float[Array, "b t"]:
    asked = jnp.arange(y.shape[1])[None, :] == index
    (slope,) = backward(jnp.broadcast_to(asked, y.shape).astype(y.dtype))
    return _norm(slope.astype(jnp.float32))

  norms = jnp.moveaxis(jax.lax.map(one, jnp.arange(y.shape[1])), 0, 1)
  own = jnp.arange(y.shape[1])[None, :] if batch.at is None else batch.at
  at, origin = (
    jnp.take_along_axis(norms, jnp.broadcast_to(where, y.shape)[..., None], -1)
    for where in (own, batch.origins)
  )
  return jnp.log10(origin[..., 0]) - jnp.log10(at[..., 0])


def _norm(x: Float[Array, "b t d"]) -> Float[Array, "b t"]:
  """The norm of each vector; squares alone would lose what is below 1e-19."""
  largest = jnp.maximum(jnp.max(jnp.abs(x), axis=-1, keepdims=True), SMALLEST)
  scaled = jnp.sqrt(jnp.sum(jnp.square(x / largest), axis=-1))
  return jnp.maximum(scaled * largest[..., 0], SMALLEST)


def check_slopes(plan: Plan) -> None:
  """Refuses a task without slopes.

  Raises:
    ValueError: it does not say which input holds the answer, or has no
      classes.
  """
  keys = jax.random.split(jax.random.key(0), 1)
  example = jax.eval_shape(plan.task.split("test").batch, keys)
  if example.origins is None or plan.task.objective.metric != "accuracy":
    raise ValueError(
      f"slopes = True with {type(plan.task).__name__}; allowed: tasks of "
      "classes whose examples say by `origins` which input holds the answer"
    )
