"""A chunk of steps of one member, ended by an evaluation: one scan."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array

from research.training.evaluation import pooled
from research.training.member import (
  DIVERGED,
  FINISHED,
  REACHED,
  RUNNING,
  Member,
  State,
  root,
)
from research.training.plan import Plan
from research.training.step import gradient_step


def chunk(
  plan: Plan, member: Member, state: State, shards: int = 1
) -> tuple[State, Array]:
  """Trains one member up to its next evaluation, unless it is frozen.

  It is frozen from the evaluation at which it has reached the target, has
  diverged (a loss that is not finite), or has taken all steps.

  Returns:
    The state, and the mean training loss of these steps (NaN if frozen).
  """
  return jax.lax.cond(
    state.status == RUNNING,
    lambda state: _train(plan, member, state, shards),
    lambda state: (state, jnp.full((), jnp.nan, jnp.float32)),
    state,
  )


def _train(
  plan: Plan, member: Member, state: State, shards: int
) -> tuple[State, Array]:
  training = plan.training
  length = min(training.evaluate_every, training.steps)

  def step(state: State, _: None) -> tuple[State, Array]:
    return gradient_step(plan, member, state, shards)

  def step_if_left(state: State, _: None) -> tuple[State, Array]:
    return jax.lax.cond(
      state.step < training.steps,
      lambda state: step(state, None),
      lambda state: (state, jnp.full((), jnp.nan, jnp.float32)),
      state,
    )

  body = step_if_left if training.steps % length else step
  state, losses = jax.lax.scan(body, state, length=length)
  taken = state.step - (state.step - 1) // length * length
  losses = jnp.where(jnp.arange(length) < taken, losses, 0.0)
  key = root(member.seed, "validation")
  loss, score = pooled(plan, state.parameters, key, training.validation)
  finite = jnp.isfinite(jnp.sum(losses)) & jnp.isfinite(loss)
  status = jnp.where(state.step >= training.steps, FINISHED, RUNNING)
  status = jnp.where(score >= training.target, REACHED, status)
  status = jnp.where(finite, status, DIVERGED).astype(jnp.int32)
  score = jnp.where(finite, score, jnp.nan)
  state = dataclasses.replace(state, status=status, loss=loss, score=score)
  return state, jnp.sum(losses) / taken
