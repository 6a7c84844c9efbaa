"""A tiny reversal that says where its answers stand, and a model that reads.

What is measured of a random model is computed once for all tests, by one
program; and what it is compared with comes from the same program.
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from research.attention.layer import Attention
from research.masks import Full
from research.models.encoder_decoder import Decoder, Encoder, EncoderDecoder
from research.models.feed_forward import FeedForward
from research.shapes import RandomKey
from research.tasks.base import Example
from research.tasks.reverse import Reverse
from research.training.alignment import looks
from research.training.gradients import gradients
from research.training.member import root
from research.training.plan import Plan, plan
from research.training.step import example_keys
from research.training.written import written_one_by_one
from tests.training import problem


@dataclasses.dataclass(frozen=True)
class Located(Reverse):
  """Reversal; every symbol says where it stood, END stands nowhere."""

  symbols: int = 4
  shortest: int = 2
  longest: int = 4

  def sample(self, key: RandomKey) -> Example:
    example = super().sample(key)
    index, count = jnp.arange(self.length), example.slices["size"]
    first = jnp.maximum(count - 1 - index, 0)
    where = jnp.stack([first, first + (index < count)], axis=-1)
    return dataclasses.replace(example, alignment=where)


SMALL = FeedForward(expansion=1)
TASK = Located()
MODEL = EncoderDecoder(
  encoder=Encoder(layers=1, feed_forward=SMALL),
  decoder=Decoder(
    mixer=Attention(heads=2),
    cross=Attention(heads=2, mask=Full()),
    layers=3,
    depth="scanned",
    feed_forward=SMALL,
  ),
  width=8,
)
TRAINING = dataclasses.replace(
  problem.TRAINING, batch=4, validation=6, test=6, label_smoothing=0.1
)
COUNT = 6
"""No multiple of the batch."""


def ready(**fields: Any) -> Plan:
  """The problem, with fields of its model replaced."""
  return plan(TASK, MODEL.copy(parent=None, **fields), TRAINING)


def random(made: Plan) -> tuple[Example, Any]:
  """Test examples, and parameters of which no output is like the others."""
  keys = example_keys(root(jnp.uint32(0), "test"), jnp.arange(COUNT))
  batch = made.task.batch(keys)
  first = made.model.init(jax.random.key(5), **batch.given())["params"]
  return batch, jax.tree.map(lambda leaf: 2.0 * leaf, first)


def unrolled(made: Plan, parameters: Any) -> tuple[EncoderDecoder, Any]:
  """The same model with every block of the decoder by itself."""
  blocks = dict(parameters["decoder"])
  stacked = blocks.pop("blocks")
  for i in range(made.model.decoder.layers - 1):
    blocks[f"block_{i}"] = jax.tree.map(lambda leaf, i=i: leaf[i], stacked)
  decoder = made.model.decoder.copy(parent=None, depth="unrolled")
  model = made.model.copy(parent=None, decoder=decoder)
  return model, {**parameters, "decoder": blocks}


@functools.cache
def looked_at() -> dict[str, Any]:
  """All that is measured of a random model, and what it is compared with."""
  made = ready()

  @jax.jit
  def everything() -> dict[str, Any]:
    batch, parameters = random(made)
    given = made, parameters, root(jnp.uint32(0), "test"), COUNT
    key = given[2]
    model, blocks = unrolled(made, parameters)

    def loss(blocks: Any) -> jax.Array:
      few = jax.tree.map(lambda leaf: leaf[: TRAINING.batch], batch)
      y = jax.nn.log_softmax(model.apply({"params": blocks}, **few.given()))
      right = 0.9 * jax.nn.one_hot(few.targets, y.shape[-1])
      asked = -jnp.sum((right + 0.1 / y.shape[-1]) * y, axis=-1)
      return jnp.sum(asked * few.weights) / jnp.sum(few.weights)

    _, sown = model.apply(
      {"params": blocks}, **batch.given(), mutable=["intermediates"]
    )
    return {
      "batch": batch,
      "parameters": parameters,
      "gradient": gradients(*given),
      **looks(*given),
      "written": written_one_by_one(made, TASK, parameters, key, COUNT),
      "slopes": jax.grad(loss)(blocks)["decoder"],
      "weights": sown["intermediates"]["decoder"],
    }

  return jax.tree.map(np.asarray, everything())
