"""This laboratory as a contender: the very program that `run` trains with."""

from collections.abc import Callable

import jax

from research.attention.layer import Attention
from research.bench.size import Size
from research.models.sequence import SequenceModel
from research.positions.learned import LearnedPosition
from research.tasks.recall import MultiQueryRecall
from research.training.cost import costs
from research.training.plan import Plan, plan
from research.training.programs import compile_programs
from research.training.record import Training

CHUNK = 25


def training_plan(size: Size, members: int = 1) -> Plan:
  """The record of a size; an evaluation of one batch ends each chunk."""
  return plan(
    MultiQueryRecall(size.vocabulary, size.length, (size.pairs,)),
    SequenceModel(
      mixer=Attention(heads=size.heads),
      layers=size.layers,
      width=size.width,
      position=LearnedPosition(length=size.length),
    ),
    Training(
      steps=10**9,
      batch=size.batch,
      learning_rates=(size.learning_rate,),
      seeds=members,
      weight_decay=size.weight_decay,
      clip=size.clip,
      evaluate_every=CHUNK,
      validation=size.batch,
      test=size.batch,
      target=2.0,
    ),
  )


def prepare(size: Size, members: int = 1) -> Callable[[int], int]:
  """Compiles and warms up; the function takes steps and tells how many."""
  programs = compile_programs(training_plan(size, members), {})
  state = programs.start()

  def steps(number: int) -> int:
    nonlocal state
    chunks = max(number // (CHUNK * members), 1)
    for _ in range(chunks):
      state, losses = programs.chunk(state)
    jax.block_until_ready(losses)
    return chunks * CHUNK * members

  steps(CHUNK)
  return steps


def flops_per_step(size: Size) -> float:
  """Matrix products of one step, forward and backward."""
  return costs(training_plan(size)).flops_per_example * size.batch
