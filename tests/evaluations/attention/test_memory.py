"""The compiler's own account of the memory that gradients take."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from research.evaluations.attention.attend import attention
from research.masks import Causal


def temporary(form: Any, length: int) -> int:
  """Bytes besides arguments and results; nothing is run."""

  def loss(q: Any, k: Any, v: Any) -> Any:
    return jnp.sum(attention(q, k, v, mask=Causal(), evaluation=form))

  shape = jax.ShapeDtypeStruct((1, length, 2, 8), jnp.float32)
  run = jax.jit(jax.value_and_grad(loss, (0, 1, 2)))
  analysis = run.lower(shape, shape, shape).compile().memory_analysis()
  return analysis.temp_size_in_bytes


def exponents(form: Any, lengths: tuple[int, ...]) -> np.ndarray:
  """How the bytes grow from each length to the next, as a power of it."""
  sizes = [temporary(form, length) for length in lengths]
  return np.diff(np.log(sizes)) / np.diff(np.log(lengths))


def test_blocks_take_memory_linear_in_the_length():
  # From here on all lengths have blocks of one size.
  assert exponents("blockwise", (1024, 2048, 4096)).max() <= 1.1


def test_all_scores_at_once_do_not():
  assert exponents("dense", (512, 1024)).min() > 1.8
  assert temporary("dense", 1024) > 2 * temporary("blockwise", 1024)
