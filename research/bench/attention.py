"""Attention alone as a contender: forward, backward, memory, decoding."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from research.attention.layer import Attention
from research.bench.device import accelerated, precision
from research.evaluations.attention.attend import attention
from research.masks import Causal, Window
from research.places import Places

HEADS = 8
WIDTH = 64
"""The numbers of a key."""
WINDOW = 128


def alibi(score: Any, batch: Any, head: Any, query: Any, key: Any) -> Any:
  """ALiBi for eight heads."""
  return score - 2.0 ** -(head + 1.0) * (query - key)


def soft_cap(score: Any, batch: Any, head: Any, query: Any, key: Any) -> Any:
  """Scores bent into (−30, 30)."""
  return 30.0 * jnp.tanh(score / 30.0)


_FORMS: dict[str, dict[str, Any]] = {
  "blocks": {"evaluation": "blockwise"},
  "segments": {"evaluation": "blockwise"},
  "alibi": {"evaluation": "blockwise", "score_mod": alibi},
  "cap": {"evaluation": "blockwise", "score_mod": soft_cap},
  "window": {
    "evaluation": "blockwise",
    "mask": Causal() & Window(WINDOW),
  },
  "dense": {"evaluation": "dense"},
  "library": {"evaluation": "library"},
  "cudnn": {"evaluation": "cudnn"},
}


def inputs(length: int) -> list[jax.Array]:
  """Queries, keys, values and the cotangent, [1 t h k]."""
  keys = jax.random.split(jax.random.key(0), 4)
  shape, dtype = (1, length, HEADS, WIDTH), jnp.dtype(precision())
  return [jax.random.normal(key, shape, dtype) for key in keys]


def compiled(form: str, length: int) -> tuple[Any, list[jax.Array]]:
  """Forward and backward of a form, compiled, and what it is called on."""
  fields = {"mask": Causal(), **_FORMS[form]}

  def both(q: Any, k: Any, v: Any, slope: Any, segments: Any) -> Any:
    told = {"segments": segments} if form == "segments" else {}

    def forward(q: Any, k: Any, v: Any) -> Any:
      return attention(q, k, v, **fields, **told)

    y, back = jax.vjp(forward, q, k, v)
    return y, back(slope)

  given = [*inputs(length), jnp.ones((1, length), int)]
  return jax.jit(both).lower(*given).compile(), given


def temporary_bytes(form: str, length: int) -> int:
  """What the compiler sets apart, beside arguments and results."""
  program, _ = compiled(form, length)
  return int(program.memory_analysis().temp_size_in_bytes)


def prepare(form: str, length: int) -> Callable[[int], int]:
  """Compiles and warms up; the function makes calls and tells how many."""
  if form == "torch":
    from research.bench.torch_attention import prepare as peer

    return peer(*inputs(length))
  if form == "decode":
    return _decoding(length)
  call, arguments = compiled(form, length)

  def calls(number: int) -> int:
    for _ in range(number):
      y = call(*arguments)
      if not accelerated():  # where calls would run side by side
        jax.block_until_ready(y)
    jax.block_until_ready(y)
    return number

  calls(1)
  return calls


def _decoding(length: int) -> Callable[[int], int]:
  """Tokens one by one through a layer whose cache holds `length` of them."""
  layer = Attention(heads=HEADS)
  x = jnp.ones((1, 1, HEADS * WIDTH), jnp.dtype(precision()))
  one = jnp.ones((1, 1), int)
  variables = jax.jit(layer.init)(jax.random.key(1), x, Places(one, one))

  def start() -> Any:
    shape = (1, length, HEADS * WIDTH)
    places = Places(jnp.ones((1, length), int), jnp.ones((1, length), int))
    past = jnp.zeros(shape, x.dtype)
    return layer.apply(variables, past, places, mutable=["cache"])[1]

  cache = jax.tree.map(
    lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(start)
  )

  def append(cache: Any, place: Any) -> Any:
    y, cache = layer.apply(
      {**variables, **cache}, x, Places(place, one), mutable=["cache"]
    )
    return cache, y

  step = jax.jit(append, donate_argnums=0)
  made = 0

  def tokens(number: int) -> int:
    nonlocal cache, made
    for _ in range(number):
      if made == length:  # full: begin anew
        cache = jax.tree.map(jnp.zeros_like, cache)
        made = 0
      cache, y = step(cache, jnp.full((1, 1), made))
      made += 1
    jax.block_until_ready(y)
    return number

  tokens(2)
  return tokens
