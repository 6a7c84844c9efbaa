"""What a trained model writes by itself, beside what it should have written."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from research.evaluations.edit_distance import edit_distance
from research.generation.generate import generate
from research.generation.greedy import Greedy
from research.shapes import RandomKey
from research.tasks.base import Example, Task
from research.tasks.transduction import END
from research.training.evaluation import each
from research.training.plan import Plan

ERROR_RATE, SEQUENCE_ACCURACY = "error_rate", "sequence_accuracy"
"""Edits per token of the target, over all examples: of characters, the
character error rate. And the share of targets that are written without one."""

WRITTEN = (ERROR_RATE, SEQUENCE_ACCURACY)


def written_one_by_one(
  plan: Plan, task: Task, parameters: Any, key: RandomKey, count: int
) -> dict[str, Array]:
  """Edits, target sizes and slices of `count` examples, each [count 1].

  The most likely token is written and read again until END, or until there
  is one more token than any target has. A decoder that is not causal reads
  its whole text anew for every token.
  """
  model = plan.model
  how = Greedy(cached=model.causal)

  def judged(example: Example) -> dict[str, Array]:
    made = generate(
      model,
      {"params": parameters},
      how=how,
      length=task.length,
      source=example.source,
      end=END,
    )
    sizes = jnp.sum(example.weights > 0, axis=1) - 1  # END is no character
    edits = edit_distance(made.tokens, made.lengths, example.targets, sizes)
    return {
      "edits": edits[:, None].astype(jnp.float32),
      "sizes": sizes[:, None].astype(jnp.float32),
    }

  found = each(plan, task, key, count, judged)
  slices = {
    name: value[:, :1]
    for name, value in found.items()
    if name not in ("edits", "sizes", "weight")
  }
  return {"edits": found["edits"], "sizes": found["sizes"], **slices}
