"""Both rules in float64, token by token, and numbers to try them with."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from research.evaluations.fast_weights.base import State
from tests.complex_step import slopes

B, T, H, K, V = 3, 13, 2, 3, 2

SEGMENTS = np.ones((B, T), np.int32)
SEGMENTS[1] = np.repeat([4, 2, 3, 1, 5], [1, 4, 1, 5, 2])
SEGMENTS[2] = np.repeat([0, 2, 0, 2, 3, 0], [2, 3, 2, 1, 4, 1])
FIRST = np.array([1, 7, 2], np.int32)
"""The segment of the state before: row 1 goes on with another one."""
LAST = np.array([1, 5, 3])

Inputs = dict[str, np.ndarray]


def drawn(gate: str, delta: bool = False) -> Inputs:
  """Float32 inputs, with decays of a "head", of a "channel", or with "none"."""
  generator = np.random.default_rng(9)
  normal, uniform = generator.normal, generator.uniform
  given = {
    "q": normal(size=(B, T, H, K)),
    "k": normal(size=(B, T, H, K)) / 2,
    "v": normal(size=(B, T, H, V)),
    "matrix": normal(size=(B, H, K, V)),
  }
  if gate != "none":
    shape = (B, T, H, K) if gate == "channel" else (B, T, H)
    given["log_decay"] = -uniform(0, 2, shape)
  if delta:
    given["beta"] = uniform(0, 2, (B, T, H))
  return {name: x.astype(np.float32) for name, x in given.items()}


def by_hand(
  given: dict[str, Any],
  segments: np.ndarray = SEGMENTS,
  first: np.ndarray = FIRST,
  own: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
  """What is read, and the last matrix; every step is analytic."""
  q, k, v, matrix = (given[name] for name in ("q", "k", "v", "matrix"))
  y = np.zeros(v.shape, matrix.dtype)
  matrix = matrix.copy()
  last = first.copy()
  for t in range(q.shape[1]):
    for b in np.flatnonzero(segments[:, t]):
      s = matrix[b] if segments[b, t] == last[b] else 0 * matrix[b]
      last[b] = segments[b, t]
      if "log_decay" in given:
        decay = np.exp(given["log_decay"][b, t])
        s = decay.reshape(decay.shape[0], -1, 1) * s
      new, before = v[b, t], s
      if "beta" in given:
        found = (k[b, t][:, :, None] * s).sum(axis=1)
        new = given["beta"][b, t][:, None] * (new - found)
      s = s + k[b, t][:, :, None] * new[:, None, :]
      seen = s if own else before
      y[b, t] = (q[b, t][:, :, None] * seen).sum(axis=1)
      matrix[b] = s
  return y, matrix


def seeds(given: Inputs) -> tuple[np.ndarray, np.ndarray]:
  """Weights of what is read and of the last matrix."""
  generator = np.random.default_rng(4)
  shapes = given["v"].shape, given["matrix"].shape
  first, second = (generator.normal(size=shape) for shape in shapes)
  return first.astype(np.float32), second.astype(np.float32)


def wanted(given: Inputs, **how: Any) -> tuple[Any, Inputs]:
  """Values, and the gradients of all inputs, in float64."""
  wide = {name: x.astype(np.float64) for name, x in given.items()}
  function = functools.partial(by_hand, **how)
  return function(wide), slopes(function, (wide,), seeds(given))[0]


def call(engine: Callable, given: dict, segments: Any, first: Any) -> Any:
  """What is read and the last state, by an engine of the room."""
  start = State(given["matrix"], jnp.asarray(first))
  inputs = [given["q"], given["k"], given["v"]]
  if "beta" in given:
    inputs.append(given["beta"])
  return engine(
    *inputs, given.get("log_decay"), jnp.asarray(segments), state=start
  )


def found(
  engines: dict[str, Callable],
  given: Inputs,
  segments: np.ndarray = SEGMENTS,
  first: np.ndarray = FIRST,
) -> dict[str, tuple[Any, Any]]:
  """Values and gradients of several engines, in one compilation."""

  def one(engine: Callable, given: dict) -> Any:
    def function(given: dict) -> Any:
      y, state = call(engine, given, segments, first)
      return (y, state.matrix), state.segment

    values, back, segment = jax.vjp(function, given, has_aux=True)
    weights = (
      jnp.asarray(weight, value.dtype)
      for weight, value in zip(seeds(given), values, strict=True)
    )
    return (*values, segment), back(tuple(weights))[0]

  @jax.jit
  def all_of_them(given: dict) -> Any:
    return {name: one(engine, given) for name, engine in engines.items()}

  return all_of_them(jax.tree.map(jnp.asarray, given))


def poisoned(given: Inputs) -> Inputs:
  """The inputs with NaN on padding."""
  padding = SEGMENTS == 0

  def one(name: str, x: np.ndarray) -> np.ndarray:
    if name == "matrix":
      return x
    at = padding.reshape(padding.shape + (1,) * (x.ndim - 2))
    return np.where(at, np.nan, x).astype(x.dtype)

  return {name: one(name, x) for name, x in given.items()}
