"""A training step of an encoder–decoder, and compilation of deep stacks."""

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
from research.models.sequence import SequenceModel
from research.models.stack import Depth
from research.tasks.base import Task
from research.tasks.recall import MultiQueryRecall
from research.tasks.reverse import Reverse
from research.training.member import initialise, members
from research.training.plan import Plan, plan
from research.training.programs import compile_programs
from research.training.record import Training
from research.training.step import gradient_step

LAYERS = 6
WIDTH = 256
HEADS = 8
LENGTH = 64
SYMBOLS = 512
BATCH = 16
CHUNK = 10
RATE, DECAY, CLIP, BETAS = 1e-3, 0.1, 1.0, (0.9, 0.98)


def step_plan() -> Plan:
  """The step that is timed; an evaluation of one batch ends each chunk.

  Sources have one token less than targets, which END belongs to. There is no
  padding. All projections have biases and the activation is ReLU, as in
  `torch.nn.Transformer`.
  """
  both = Attention(heads=HEADS, mask=Full(), bias=True)
  relu = FeedForward(activation="relu")
  model = EncoderDecoder(
    encoder=Encoder(mixer=both, layers=LAYERS, feed_forward=relu),
    decoder=Decoder(
      mixer=Attention(heads=HEADS, bias=True),
      layers=LAYERS,
      feed_forward=relu,
      cross=both,
    ),
    width=WIDTH,
  )
  return _plan(Reverse(SYMBOLS - 2, LENGTH - 1, LENGTH - 1), model)


def deep_plan(layers: int, depth: Depth) -> Plan:
  """A decoder alone of any depth, whose step is compiled."""
  return _plan(
    MultiQueryRecall(SYMBOLS, LENGTH),
    SequenceModel(
      mixer=Attention(heads=HEADS), layers=layers, width=WIDTH, depth=depth
    ),
  )


def _plan(task: Task, model: Model) -> Plan:
  training = Training(
    steps=10**9,
    batch=BATCH,
    learning_rates=(RATE,),
    seeds=1,
    weight_decay=DECAY,
    clip=CLIP,
    beta1=BETAS[0],
    beta2=BETAS[1],
    evaluate_every=CHUNK,
    validation=BATCH,
    test=BATCH,
    target=2.0,
  )
  return plan(task, model, training)


def prepare(form: str, of: int) -> Callable[[int], int]:
  """Compiles and warms up; the function takes steps and tells how many.

  Args:
    form: "ours" or "torch"; or whose compilations are counted instead of
      steps, "scanned" or "unrolled".
    of: the batch, which is `BATCH`; or the number of layers.
  """
  if form == "torch":
    from research.bench.torch_transformer import prepare as peer

    return peer()
  if form in get_args(Depth):
    return _compilations(of, cast(Depth, form))
  programs = compile_programs(step_plan(), {})
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
