"""Where a decoder looks in its source, beside where the answer stands."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from research.models.encoder_decoder import EncoderDecoder
from research.shapes import RandomKey
from research.tasks.base import Example
from research.training.evaluation import each
from research.training.plan import Plan

ALIGNMENT, MONOTONICITY = "alignment", "monotonicity"

_ALIKE = 1e-3
"""Centres this close, in positions of the source, count as one; else rounding
would decide where two tokens are sought at the same place."""


def looks(
  plan: Plan, parameters: Any, key: RandomKey, count: int
) -> dict[str, dict[str, Array]]:
  """Alignment and monotonicity of each cross-attention, mean over heads.

  Alignment is the share of its weights that lies on the true range, for every
  token that stands somewhere in the source. Monotonicity is 1 where a token is
  sought no further left than the one before it, by the centres of the weights;
  the first token has none before it and no weight. Scores are [count
  a·layers], sliced by layer.
  """
  model = plan.model
  assert isinstance(model, EncoderDecoder)

  def judged(example: Example) -> dict[str, Array]:
    weights, where = cross_weights(model, {"params": parameters}, example)
    mean = jnp.mean(weights, axis=3)
    first, end = example.alignment[..., 0], example.alignment[..., 1]
    return {
      ALIGNMENT: _inside(mean, where, first, end),
      MONOTONICITY: _no_further_left(mean, where),
      "stands": end > first,
    }

  found = each(plan, plan.task.split("test"), key, count, judged)
  weight = found["weight"] * found["stands"]
  later = jnp.arange(weight.shape[1])[None] > 0
  return {
    ALIGNMENT: _by_layer(found[ALIGNMENT], weight),
    MONOTONICITY: _by_layer(found[MONOTONICITY], weight * later),
  }


def _inside(
  mean: Float[Array, "b t layers s"],
  where: Int[Array, "b s"],
  first: Int[Array, "b t"],
  end: Int[Array, "b t"],
) -> Float[Array, "b t layers"]:
  """The weights between the first position and the end."""
  there = where[:, None]
  inside = (there >= first[..., None]) & (there < end[..., None])
  return jnp.sum(mean * inside[..., None, :], axis=-1)


def _no_further_left(
  mean: Float[Array, "b t layers s"], where: Int[Array, "b s"]
) -> Float[Array, "b t layers"]:
  centre = jnp.sum(mean * where[:, None, None, :], axis=-1)
  back = jnp.diff(centre, axis=1, prepend=centre[:, :1]) < -_ALIKE
  return 1.0 - back


def _by_layer(
  score: Float[Array, "count t layers"], weight: Float[Array, "count t"]
) -> dict[str, Array]:
  """Scores [count t·layers] with their weights and layers."""
  layers = jnp.arange(score.shape[2]) + 1
  parts = {"score": score, "weight": weight[..., None], "layer": layers}
  return {
    name: jnp.broadcast_to(part, score.shape).reshape(len(score), -1)
    for name, part in parts.items()
  }


def cross_weights(
  model: EncoderDecoder, variables: Any, example: Example
) -> tuple[Float[Array, "b t layers h s"], Int[Array, "b s"]]:
  """The weights of all cross-attentions, and where their keys stand."""
  memory: Any = model.apply(variables, *example.source, method="encode")
  _, sown = model.apply(
    variables,
    example.inputs,
    example.places,
    memory,
    method="decode",
    mutable=["intermediates"],
  )
  blocks = sown["intermediates"]["decoder"]
  found = []
  if "blocks" in blocks:
    (stacked,) = blocks["blocks"]["cross"]["weights"]
    found += list(stacked)
  for layer in range(len(found), model.decoder.layers):
    (weights,) = blocks[f"block_{layer}"]["cross"]["weights"]
    found.append(weights)
  weights = jnp.moveaxis(jnp.stack(found), 0, 1)  # [b layers h t s]
  return weights.transpose(0, 3, 1, 2, 4), memory[1].positions


def check_alignment(plan: Plan) -> None:
  """Refuses a task that does not say where its answers stand.

  Raises:
    ValueError: no source, or no ranges in it.
  """
  keys = jax.random.split(jax.random.key(0), 1)
  example = jax.eval_shape(plan.task.split("test").batch, keys)
  if example.source is None or example.alignment is None:
    raise ValueError(
      f"alignment = True with {type(plan.task).__name__}; allowed: tasks with "
      "a source whose examples say by `alignment` where answers stand in it"
    )
