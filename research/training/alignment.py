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


def alignment(
  plan: Plan, parameters: Any, key: RandomKey, count: int
) -> dict[str, Array]:
  """The share of each cross-attention's weights that lies on the true range.

  Mean over heads, for every token that stands somewhere in the source; as
  scores [count a·layers], sliced by layer.
  """

  def judged(example: Example, weights: Array, where: Array) -> Array:
    first, end = (example.alignment[..., None, i] for i in (0, 1))
    inside = (where[:, None] >= first) & (where[:, None] < end)
    return jnp.sum(weights * inside[..., None, :], axis=-1)

  return _layers(plan, parameters, key, count, judged)


def monotonicity(
  plan: Plan, parameters: Any, key: RandomKey, count: int
) -> dict[str, Array]:
  """1 where a token is sought no further left than the one before it.

  By the centres of the weights of each cross-attention, mean over heads; a
  thousandth of a position to the left is nothing. The first token has none
  before it and no weight. Scores as those of `alignment`.
  """

  def judged(example: Example, weights: Array, where: Array) -> Array:
    centre = jnp.sum(weights * where[:, None, None, :], axis=-1)
    back = jnp.diff(centre, axis=1, prepend=centre[:, :1]) < -_ALIKE
    return 1.0 - back

  return _layers(plan, parameters, key, count, judged, least=1)


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


def _layers(
  plan: Plan,
  parameters: Any,
  key: RandomKey,
  count: int,
  function: Any,
  least: int = 0,
) -> dict[str, Array]:
  """What `function` says of the weights [b t layers s] of test examples.

  Tokens before the one numbered `least` have no weight.
  """
  model = plan.model
  assert isinstance(model, EncoderDecoder)
  layers = model.decoder.layers

  def judged(example: Example) -> dict[str, Array]:
    weights, where = cross_weights(model, {"params": parameters}, example)
    score = function(example, jnp.mean(weights, axis=3), where)
    stands = example.alignment[..., 1] > example.alignment[..., 0]
    late = jnp.arange(stands.shape[1])[None] >= least
    return {"score": score, "stands": stands & late}

  found = each(plan, plan.task.split("test"), key, count, judged)
  weight = found["weight"] * found["stands"]
  each_layer = jnp.broadcast_to(jnp.arange(layers) + 1, found["score"].shape)

  def flat(x: Array) -> Array:
    return x.reshape(count, -1)

  return {
    "score": flat(found["score"]),
    "weight": flat(jnp.repeat(weight[..., None], layers, axis=-1)),
    "layer": flat(each_layer),
  }


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
