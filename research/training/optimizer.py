"""AdamW with traced learning rate and decay (Loshchilov & Hutter 2019)."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from research.training.record import Training


def optimizer(
  training: Training, learning_rate: jax.Array, weight_decay: jax.Array
) -> optax.GradientTransformation:
  """Clipping, then AdamW; the rate multiplies a unit schedule.

  Args:
    training: what is the same for all members.
    learning_rate: Float[], may be traced.
    weight_decay: Float[], may be traced; decays leaves named `kernel`.
  """
  unit = schedule(training)
  return optax.chain(
    optax.clip_by_global_norm(training.clip),
    optax.adamw(
      lambda step: learning_rate * unit(step),
      b1=training.beta1,
      b2=training.beta2,
      weight_decay=weight_decay,
      mask=_kernels,
    ),
  )


def schedule(training: Training) -> Callable[[jax.Array], jax.Array]:
  """The unit schedule: linear warm-up to 1, then what the record says."""

  def unit(step: jax.Array) -> jax.Array:
    rise = jnp.minimum(1.0, (step + 1) / (training.warmup + 1))
    if training.schedule == "constant":
      return rise
    if training.schedule == "inverse_sqrt":
      begin = training.warmup + 1
      return rise * jnp.sqrt(begin / jnp.maximum(step + 1, begin))
    rest = max(training.steps - training.warmup, 1)
    done = jnp.clip((step - training.warmup) / rest, 0.0, 1.0)
    return rise * 0.5 * (1.0 + jnp.cos(jnp.pi * done))

  return unit


def _kernels(parameters: dict) -> dict:
  """True for the leaves that decay."""
  return jax.tree_util.tree_map_with_path(
    lambda path, _: path[-1].key == "kernel", parameters
  )
