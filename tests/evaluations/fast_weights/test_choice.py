"""Which form is taken, and what memory it needs."""

import inspect
import math
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from research.evaluations.fast_weights.choice import CHUNK, choose
from research.evaluations.fast_weights.delta import delta


def test_what_is_refused():
  wrong: Any = "serial"
  with pytest.raises(ValueError, match="form = 'serial'; allowed: 'auto', "):
    inspect.unwrap(choose)(wrong, 64, 8)
  with pytest.raises(ValueError, match="chunk = 0; allowed: at least 1"):
    choose("auto", 0, 8)


def test_a_single_token_is_recurrent():
  assert choose("auto", 64, 1).form == "recurrent"
  assert choose("auto", 64, 1000) == ("chunkwise", 64)
  assert choose("auto", 64, 10) == ("chunkwise", 10)
  assert choose("chunkwise", None, 1000).chunk == CHUNK
  assert choose("parallel", 64, 1000) == ("parallel", 1000)


def test_chunks_take_linear_memory():
  """Of the gradient, from 4,096 to 16,384 tokens."""

  def loss(x: Any, segments: Any) -> Any:
    beta, log_decay = jax.nn.sigmoid(x[..., 0]), -jax.nn.softplus(x)
    return jnp.sum(delta(x, x, x, beta, log_decay, segments)[0])

  def memory(length: int) -> int:
    shapes = (
      jax.ShapeDtypeStruct((1, length, 1, 16), jnp.float32),
      jax.ShapeDtypeStruct((1, length), jnp.int32),
    )
    compiled = jax.jit(jax.grad(loss)).lower(*shapes).compile()
    return compiled.memory_analysis().temp_size_in_bytes

  growth = math.log(memory(16384) / memory(4096), 4)
  assert growth <= 1.1
