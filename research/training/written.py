"""What a trained model writes by itself, beside what it should have written."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Int

from research.evaluations.edit_distance import edit_distance
from research.generation.generate import generate
from research.generation.greedy import Greedy
from research.models.encoder_decoder import EncoderDecoder
from research.shapes import RandomKey
from research.tasks.base import Example, Task
from research.tasks.transduction import END
from research.training.evaluation import each
from research.training.plan import Plan

ERROR_RATE, SEQUENCE_ACCURACY = "error_rate", "sequence_accuracy"
"""Edits per token of the target, over all examples: of characters, the
character error rate. And the share of targets that are written without one."""

WRITTEN = (ERROR_RATE, SEQUENCE_ACCURACY)


class Written(NamedTuple):
  """What was written of a batch, and how far it is from the targets.

  Attributes:
    tokens: what was written; behind the first END there are only ENDs.
    lengths: how many tokens stand before it.
    sizes: how many tokens the targets have, END not counted.
    edits: the edit distance between the two.
  """

  tokens: Int[Array, "b t"]
  lengths: Int[Array, "b"]
  sizes: Int[Array, "b"]
  edits: Int[Array, "b"]


def write(
  model: EncoderDecoder, variables: Any, batch: Example, length: int
) -> Written:
  """The most likely token is written and read again until END.

  Or until there are `length`, one more than any target has. A decoder that is
  not causal reads its whole text anew for every token.
  """
  made = generate(
    model,
    variables,
    how=Greedy(cached=model.causal),
    length=length,
    source=batch.source,
    end=END,
  )
  sizes = jnp.sum(batch.weights > 0, axis=1) - 1  # END is no character
  edits = edit_distance(made.tokens, made.lengths, batch.targets, sizes)
  return Written(made.tokens, made.lengths, sizes, edits)


def written_one_by_one(
  plan: Plan, task: Task, parameters: Any, key: RandomKey, count: int
) -> dict[str, Array]:
  """Edits, target sizes and slices of `count` examples, each [count 1]."""
  model = plan.model
  assert isinstance(model, EncoderDecoder)

  def judged(example: Example) -> dict[str, Array]:
    made = write(model, {"params": parameters}, example, task.length)
    return {
      "edits": made.edits[:, None].astype(jnp.float32),
      "sizes": made.sizes[:, None].astype(jnp.float32),
    }

  found = each(plan, task, key, count, judged)
  slices = {
    name: value[:, :1]
    for name, value in found.items()
    if name not in ("edits", "sizes", "weight")
  }
  return {"edits": found["edits"], "sizes": found["sizes"], **slices}
