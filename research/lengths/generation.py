"""Tokens one by one through a mixer: time, state, and the same outputs.

A step appends one token to the stream that the cache carries. Its program is
compiled once for all steps of a stream, and once for all lengths where the
cache does not grow with them.
"""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from research.lengths.alone import (
  Arguments,
  Program,
  is_precise,
  precisely,
  shapes,
)
from research.places import Places, whole
from research.shapes import Activations
from research.training.plan import Plan

LAST = 16
"""The tokens at the end of a stream that are timed."""

Token = tuple[Any, Any]
"""Vectors Float[b 1 d] and positions Int[b 1], of NumPy or of jax."""


@dataclasses.dataclass(frozen=True)
class Stream:
  """A mixer that has read all of a sequence but its last tokens.

  Attributes:
    step: (parameters, cache, token) → the cache, and the output. The cache
      that is handed in is gone.
    parameters: of the mixer.
    cache: before the last tokens.
    tokens: the last ones.
    outputs: Float[b t d] of all tokens, the last ones included.
  """

  step: Program
  parameters: Any
  cache: Any
  tokens: list[Token]
  outputs: np.ndarray

  def microseconds(self, least: float) -> float:
    """Per token, over the last ones, which are made until `least` seconds."""
    spent, made = 0.0, 0
    while spent < least or not made:
      cache = jax.block_until_ready(jax.tree.map(jnp.copy, self.cache))
      begin = time.perf_counter()
      for token in self.tokens:
        cache, y = self.step(self.parameters, cache, token)
      jax.block_until_ready((cache, y))
      spent += time.perf_counter() - begin
      made += len(self.tokens)
    return spent / made * 1e6


class Generator:
  """The streams of one variant; counts the programs that they need.

  Attributes:
    seconds: spent on tracing and compiling.
    programs: by the shapes of the cache, and whether products are precise.
  """

  def __init__(self, plan: Plan) -> None:
    self.plan = plan
    self.seconds = 0.0
    self.programs: dict[tuple[Any, bool], Program] = {}

  def stream(self, given: Arguments) -> Stream:
    """Reads a sequence token by token, with all digits of its products."""
    length = given.x.shape[1]
    cache = jax.tree.map(
      lambda leaf: jnp.zeros(leaf.shape, leaf.dtype),
      empty(self.plan, length),
    )
    last = range(max(length - LAST, 0), length)
    tokens = jax.device_put([_token(given.x, t) for t in last])
    step = self._program(given.parameters, cache, tokens[0], precise=False)
    exact = self._program(given.parameters, cache, tokens[0], precise=True)
    x, outputs = np.asarray(given.x), []
    for t in range(length):
      if t == last[0]:
        kept = jax.tree.map(jnp.copy, cache)
      cache, y = exact(given.parameters, cache, _token(x, t))
      outputs.append(np.asarray(y))
    whole_outputs = np.concatenate(outputs, axis=1)
    return Stream(step, given.parameters, kept, tokens, whole_outputs)

  def _program(
    self, parameters: Any, cache: Any, token: Token, *, precise: bool
  ) -> Program:
    precise = precise and not is_precise()
    leaves, tree = jax.tree.flatten(cache)
    key = (tree, *((leaf.shape, leaf.dtype) for leaf in leaves)), precise
    if key not in self.programs:
      begin = time.perf_counter()
      step = jax.jit(_step(self.plan), donate_argnums=1)
      with precisely(precise):
        lowered = step.lower(parameters, cache, token)
      self.programs[key] = lowered.compile()
      self.seconds += time.perf_counter() - begin
    return self.programs[key]


def state_bytes(plan: Plan, length: int) -> int:
  """What the state of one sequence of this length takes, counted."""
  leaves = jax.tree.leaves(empty(plan, length))
  total = sum(leaf.size * leaf.dtype.itemsize for leaf in leaves)
  return total // plan.training.batch


def empty(plan: Plan, length: int) -> Any:
  """The shapes of the cache for a stream of so many tokens.

  Raises:
    ValueError: the mixer is not causal, or what else it refuses.
  """
  mixer, given = plan.model.mixer, shapes(plan, length)

  def cache(parameters: Any, x: Activations) -> Any:
    variables = {"params": parameters}
    _, new = mixer.apply(variables, x, whole(x), mutable=["cache"])
    return new.get("cache", {})

  return jax.eval_shape(cache, given.parameters, given.x)


def _step(plan: Plan) -> Callable[[Any, Any, Token], tuple[Any, Array]]:
  mixer = plan.model.mixer

  def step(parameters: Any, cache: Any, token: Token) -> tuple[Any, Array]:
    x, positions = token
    places = Places(positions, jnp.ones_like(positions))
    variables = {"params": parameters, "cache": cache}
    y, new = mixer.apply(variables, x, places, mutable=["cache"])
    return new.get("cache", {}), y

  return step


def _token(x: Any, t: int) -> Token:
  return x[:, t : t + 1], np.full((x.shape[0], 1), t, np.int32)
