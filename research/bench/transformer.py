"""A training step of an encoder–decoder, and compilation of deep stacks."""

import dataclasses
from collections.abc import Callable
from typing import cast, get_args

import jax
import jax.numpy as jnp

from research.attention.layer import Attention
from research.bench.compilation import compilations
from research.masks import Full
from research.models.encoder_decoder import Decoder, Encoder, EncoderDecoder
from research.models.feed_forward import FeedForward
from research.models.model import Model
from research.models.sequence import Precision, SequenceModel
from research.models.stack import Depth
from research.tasks.base import Task
from research.tasks.recall import MultiQueryRecall
from research.tasks.reverse import Reverse
from research.training.cost import costs
from research.training.member import initialise, members
from research.training.plan import Plan, plan
from research.training.programs import compile_programs
from research.training.record import Training
from research.training.step import gradient_step

CHUNK = 10
RATE, DECAY, CLIP, BETAS = 1e-3, 0.1, 1.0, (0.9, 0.98)


@dataclasses.dataclass(frozen=True)
class Size:
  """What the contenders share; `length` is that of targets with END."""

  layers: int = 6
  width: int = 256
  heads: int = 8
  length: int = 64
  symbols: int = 512
  batch: int = 16
  precision: Precision = "float32"


SIZES = {
  "small": Size(),
  "base": Size(
    width=512,
    length=128,
    symbols=37_000,
    batch=192,
    precision="bfloat16",
  ),
}
"""For a CPU, and for accelerators: the base model of Vaswani et al. (2017) with
batches of 25,000 tokens on each side, as there."""
DEEP = SIZES["small"]
"""What stacks of any depth have but for their layers."""


def step_plan(size: Size) -> Plan:
  """The step that is timed; an evaluation of one batch ends each chunk.

  Sources have one token less than targets, which END belongs to. There is no
  padding. All projections have biases and the activation is ReLU, as in
  `torch.nn.Transformer`.
  """
  both = Attention(heads=size.heads, mask=Full(), bias=True)
  relu = FeedForward(activation="relu")
  model = EncoderDecoder(
    encoder=Encoder(mixer=both, layers=size.layers, feed_forward=relu),
    decoder=Decoder(
      mixer=Attention(heads=size.heads, bias=True),
      layers=size.layers,
      feed_forward=relu,
      cross=both,
    ),
    width=size.width,
    precision=size.precision,
  )
  task = Reverse(size.symbols - 2, size.length - 1, size.length - 1)
  return _plan(task, model, size.batch)


def flops_per_step(size: Size) -> float:
  """Matrix products that a step needs, forward and backward."""
  return costs(step_plan(size)).flops_per_example * size.batch


def deep_plan(layers: int, depth: Depth) -> Plan:
  """A decoder alone of any depth, whose step is compiled."""
  model = SequenceModel(
    mixer=Attention(heads=DEEP.heads),
    layers=layers,
    width=DEEP.width,
    depth=depth,
  )
  return _plan(MultiQueryRecall(DEEP.symbols, DEEP.length), model, DEEP.batch)


def _plan(task: Task, model: Model, batch: int) -> Plan:
  training = Training(
    steps=10**9,
    batch=batch,
    learning_rates=(RATE,),
    seeds=1,
    weight_decay=DECAY,
    clip=CLIP,
    beta1=BETAS[0],
    beta2=BETAS[1],
    evaluate_every=CHUNK,
    validation=batch,
    test=batch,
    target=2.0,
  )
  return plan(task, model, training)


def prepare(form: str, of: str) -> Callable[[int], int]:
  """Compiles and warms up; the function takes steps and tells how many.

  Args:
    form: "ours" or "torch"; or whose compilations are counted instead of
      steps, "scanned" or "unrolled".
    of: a name of `SIZES`; or the number of layers.
  """
  if form == "torch":
    from research.bench.torch_transformer import prepare as peer

    return peer(SIZES[of])
  if form in get_args(Depth):
    return _compilations(int(of), cast(Depth, form))
  programs = compile_programs(step_plan(SIZES[of]), {})
  state = programs.start()

  def steps(number: int) -> int:
    nonlocal state
    chunks = max(number // CHUNK, 1)
    for _ in range(chunks):
      state, losses = programs.chunk(state)
    jax.block_until_ready(losses)
    return chunks * CHUNK

  steps(1)
  return steps


def _compilations(layers: int, depth: Depth) -> Callable[[int], int]:
  """Makes a step's program anew, and tells how often."""
  ready = deep_plan(layers, depth)
  first = jax.tree.map(lambda leaf: leaf[0], members(ready.training))
  member = jax.tree.map(jnp.asarray, first)
  state = jax.eval_shape(lambda: initialise(ready, member))
  return compilations(lambda state: gradient_step(ready, member, state), state)
