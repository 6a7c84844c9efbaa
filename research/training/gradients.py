"""How large the gradient of each block of a model is."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from research.shapes import RandomKey
from research.training.plan import Plan
from research.training.slopes import SMALLEST
from research.training.step import example_keys

GRADIENT = "gradient"


def gradients(
  plan: Plan, parameters: Any, key: RandomKey, count: int
) -> dict[str, Array]:
  """log₁₀ of the norm of the loss's gradient, block by block (Xiong 2020).

  Of the mean loss over one batch, with respect to all numbers of a block; of
  blocks 1, 2, 4, … and of the last one, [1 blocks], as scores. A model with
  a decoder tells its decoder's.
  """
  task = plan.task.split("test")
  size = min(count, plan.training.batch)
  batch = task.batch(example_keys(key, jnp.arange(size)))
  slope, weight = jax.grad(plan.loss, has_aux=True)(parameters, batch)
  norms = jnp.stack(_norms(slope.get("decoder", slope))) / weight
  blocks = _shown(len(norms))
  score = jnp.log10(jnp.maximum(norms[blocks - 1], SMALLEST))[None, :]
  return {
    "score": score,
    "weight": jnp.ones_like(score),
    "block": blocks[None, :],
  }


def _norms(tree: dict[str, Any]) -> list[Array]:
  """The norm of every block's part of a gradient, the first block first."""
  count = sum(name.startswith("block_") for name in tree)
  found = []
  if "blocks" in tree:  # scanned: all but the last have an axis in common
    found = list(jax.vmap(_norm)(tree["blocks"]))
  first = len(found)
  return found + [_norm(tree[f"block_{first + i}"]) for i in range(count)]


def _norm(tree: Any) -> Array:
  """Of all numbers; squares alone would lose what is below 1e-19."""
  leaves = jax.tree.leaves(tree)
  largest = jnp.max(jnp.stack([jnp.max(jnp.abs(x)) for x in leaves]))
  largest = jnp.maximum(largest, SMALLEST)
  squares = [jnp.sum(jnp.square(x / largest)) for x in leaves]
  return jnp.sqrt(sum(squares, jnp.zeros(()))) * largest


def _shown(layers: int) -> Array:
  """Powers of two, and the last."""
  powers = (2**i for i in range(layers.bit_length()))
  return jnp.array(sorted({*powers, layers}), jnp.int32)
