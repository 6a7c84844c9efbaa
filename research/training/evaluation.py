"""Scores of parameters: validation examples pooled, test ones one by one."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from research.shapes import RandomKey
from research.tasks.base import Example, Task
from research.training.plan import Plan
from research.training.step import example_keys


def pooled(
  plan: Plan, parameters: Any, key: RandomKey, count: int
) -> tuple[Array, Array]:
  """Mean loss and score over the scored positions of validation examples.

  The score is NaN where a loss is not finite.
  """
  task = plan.task.split("validation")

  def add(total: Array, batch: tuple) -> tuple[Array, None]:
    keys, real = batch
    example = task.batch(keys)
    loss, score = plan.judge(parameters, example)
    weight = example.weights * real[:, None]
    # Examples beyond the last have the weight 0, and may be NaN.
    terms = (loss, score, jnp.ones_like(loss))
    sums = [jnp.sum(jnp.where(weight > 0, x * weight, 0.0)) for x in terms]
    return total + jnp.stack(sums), None

  nothing = jnp.zeros(3, jnp.float32)
  total, _ = jax.lax.scan(add, nothing, _batches(plan, key, count))
  return total[0] / total[2], total[1] / total[2]


def one_by_one(
  plan: Plan, task: Task, parameters: Any, key: RandomKey, count: int
) -> dict[str, Array]:
  """Loss, score, weight and slices of `count` examples, each [count a]."""
  ready = dataclasses.replace(plan, task=task)

  def judged(example: Example) -> dict[str, Array]:
    loss, score = ready.judge(parameters, example)
    return {"loss": loss, "score": score}

  return each(plan, task, key, count, judged)


def each(
  plan: Plan,
  task: Task,
  key: RandomKey,
  count: int,
  judged: Callable[[Example], dict[str, Array]],
) -> dict[str, Array]:
  """What is judged of `count` examples, with their weights and slices."""

  def one(batch: tuple) -> dict[str, Array]:
    keys, _ = batch
    example = task.batch(keys)
    return {**judged(example), "weight": example.weights, **example.slices}

  parts = jax.lax.map(one, _batches(plan, key, count))
  return jax.tree.map(lambda x: x.reshape((-1,) + x.shape[2:])[:count], parts)


def _batches(plan: Plan, key: RandomKey, count: int) -> tuple[Array, Array]:
  """Keys [n b] of the examples, and 1 where an example counts."""
  size = min(plan.training.batch, count)
  number = -(-count // size)
  index = jnp.arange(number * size)
  keys = example_keys(key, index).reshape(number, size)
  return keys, (index < count).astype(jnp.float32).reshape(number, size)
