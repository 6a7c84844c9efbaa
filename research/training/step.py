"""One gradient step of one member, its batch made from keys on the way."""

import dataclasses

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int

from research.shapes import RandomKey
from research.training.member import Member, State, root
from research.training.optimizer import optimizer
from research.training.plan import Plan


def gradient_step(
  plan: Plan, member: Member, state: State, shards: int = 1
) -> tuple[State, Array]:
  """The state after one step, and the mean loss of its batch.

  Args:
    plan: what is trained.
    member: who is trained.
    state: before the step.
    shards: devices that share the batch, along the mesh axis "batch".
  """
  keys = batch_keys(plan, member, state.step, shards)
  batch = plan.task.split("train").batch(keys)
  dropout = jax.random.fold_in(root(member.seed, "dropout"), state.step)
  if shards > 1:
    dropout = jax.random.fold_in(dropout, jax.lax.axis_index("batch"))
  gradient = jax.value_and_grad(plan.loss, has_aux=True)
  (loss, weight), grads = gradient(state.parameters, batch, dropout)
  if shards > 1:
    loss, weight, grads = jax.lax.psum((loss, weight, grads), "batch")
  grads = jax.tree.map(lambda leaf: leaf / weight, grads)
  update = optimizer(plan.training, member.learning_rate, member.weight_decay)
  updates, moments = update.update(grads, state.optimizer, state.parameters)
  parameters = optax.apply_updates(state.parameters, updates)
  state = dataclasses.replace(
    state, parameters=parameters, optimizer=moments, step=state.step + 1
  )
  return state, loss / weight


def example_keys(key: RandomKey, index: Int[Array, " b"]) -> Array:
  """One key per example [b] from its number."""
  return jax.vmap(jax.random.fold_in, (None, 0))(key, index)


def batch_keys(plan: Plan, member: Member, step: Array, shards: int) -> Array:
  """Keys [b] of the batch of a step.

  Fresh numbers for endless data; numbers drawn below `examples`, with
  replacement, for a finite training set.
  """
  size = plan.training.batch
  fresh = step * size + jnp.arange(size)
  key = root(member.seed, "train")
  order = jax.random.fold_in(root(member.seed, "order"), step)
  drawn = jax.random.randint(order, (size,), 0, jnp.maximum(member.examples, 1))
  index = jnp.where(member.examples > 0, drawn, fresh)
  if shards > 1:
    share = size // shards
    start = jax.lax.axis_index("batch") * share
    index = jax.lax.dynamic_slice_in_dim(index, start, share)
  return example_keys(key, index)
