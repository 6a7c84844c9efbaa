"""Which form is taken, and what memory it needs."""

import inspect
import math
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from research.evaluations.fast_weights import pieces
from research.evaluations.fast_weights.base import Given
from research.evaluations.fast_weights.choice import choose
from research.evaluations.fast_weights.delta import delta


def test_what_is_refused():
  wrong: Any = "serial"
  with pytest.raises(ValueError, match="form = 'serial'; allowed: 'auto', "):
    inspect.unwrap(choose)(wrong, 64, 8)
  with pytest.raises(ValueError, match="chunk = -1; allowed: 0 or more"):
    choose("auto", -1, 8)


def test_a_single_token_is_recurrent():
  assert choose("auto", 64, 1).form == "recurrent"
  assert choose("auto", 64, 1000) == ("chunkwise", 64)
  assert choose("auto", 64, 10) == ("chunkwise", 10)
  assert choose("parallel", 64, 1000) == ("parallel", 1000)


def test_chunks_are_what_was_measured_to_be_fast():
  head, channel = jnp.zeros((1, 70, 2)), jnp.zeros((1, 70, 2, 3))
  assert choose("auto", 0, 70) == ("chunkwise", 32)
  assert choose("auto", 0, 70, head).chunk == 32
  assert choose("auto", 0, 70, channel).chunk == 16
  assert choose("auto", 64, 1000, channel).chunk == 64
  assert choose("auto", 0, 64) == ("parallel", 64)
  assert choose("chunkwise", 0, 10).chunk == 10


def test_pieces_are_for_the_cache_of_a_cpu(monkeypatch):
  x: Any = jax.ShapeDtypeStruct((1, 4096, 4, 64), jnp.float32)
  given = Given(x, x, x, None, None, x)
  assert pieces._pieces(given, 64) == (8, 8)
  monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
  assert pieces._pieces(given, 64) == (1, 64)


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
