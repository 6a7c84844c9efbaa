"""One case made ready for its laws: compiled once, measured once.

The suite waits for the compiler, so all laws of a case read from the same few
programs. The rows of one batch hold the situations that the laws speak of.
"""

import functools
from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from research.mixer import Mixer
from research.models.block import Block
from research.models.feed_forward import FeedForward
from research.models.sequence import SequenceModel
from research.places import Places
from research.positions.learned import LearnedPosition
from tests.cases import Case, mixer_cases
from tests.programs import forget

LENGTH = 8
FULL = (0, 1, 2, 3)
"""Rows of eight tokens each."""
PACKED, FIRST, SECOND, LEFT, EMPTY, SINGLE = range(4, 10)
"""Two packed sequences, each of them apart, the first with padding before it,
a row of padding, a row of one token."""

SEGMENTS = np.array(
  [[1] * 8] * 4
  + [
    [1, 1, 1, 2, 2, 2, 2, 0],
    [1, 1, 1, 0, 0, 0, 0, 0],
    [2, 2, 2, 2, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 1, 1, 1],
    [0, 0, 0, 0, 0, 0, 0, 0],
    [1, 0, 0, 0, 0, 0, 0, 0],
  ],
  np.int32,
)
POSITIONS = np.array(
  [[0, 1, 2, 3, 4, 5, 6, 7]] * 4
  + [
    [0, 1, 2, 0, 1, 2, 3, 0],
    [0, 1, 2, 0, 0, 0, 0, 0],
    [0, 1, 2, 3, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 1, 2],
    [0, 0, 0, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 0, 0],
  ],
  np.int32,
)
VALID = SEGMENTS > 0
ASKED = np.array([[6, 0, 3, 3]] * len(SEGMENTS), np.int32)

_ = -1  # A place of padding in a schedule.
STREAMED = (0, 1, 2, 3, PACKED)
"""The rows that are also read piece by piece."""
SCHEDULES = {
  "steps": [[[t]] * 4 + [[t if t < 7 else _]] for t in range(LENGTH)],
  "prefill and steps": [
    [[0, 1, 2, 3], [0, 1, _, _], [_, _, 0, 1], [_, _, _, _], [0, 1, 2, 3]],
    [[4], [2], [2], [0], [4]],
    [[5], [3], [_], [1], [5]],
    [[6], [4], [3], [2], [6]],
    [[7], [5], [4], [3], [_]],
  ],
  "two chunks": [
    [[0, 1, 2, 3], [0, 1, _, _], [_, _, _, 0], [_, _, _, _], [0, 1, 2, 3]],
    [[4, 5, 6, 7], [2, 3, 4, 5], [1, 2, 3, _], [0, 1, 2, 3], [4, 5, 6, _]],
  ],
}
"""Which token of its sequence each row reads at each call; −1 is padding."""


def places(rows: Any = slice(None)) -> Places:
  """The places of the rows."""
  return Places(jnp.asarray(POSITIONS[rows]), jnp.asarray(SEGMENTS[rows]))


def far(where: Places) -> Places:
  """The same places, with far positions on padding."""
  positions = jnp.where(where.valid, where.positions, 2**30)
  return Places(positions, where.segments)


def vectors(width: int) -> jax.Array:
  """The inputs of the rows [b t d], zero on padding."""
  x = np.random.default_rng(0).normal(size=SEGMENTS.shape + (width,))
  x[FIRST, :3] = x[LEFT, 5:] = x[PACKED, :3]
  x[SECOND, :4] = x[PACKED, 3:7]
  return _rounded(jnp.asarray(np.where(VALID[..., None], x, 0.0)))


def _rounded(x: jax.Array) -> jax.Array:
  """Float32 numbers that bfloat16 has too, so that both dtypes read them."""
  return x.astype(jnp.bfloat16).astype(jnp.float32)


@functools.partial(jax.jit, static_argnums=0)
def _start(module: nn.Module, x: jax.Array) -> Any:
  """Variables of the module, none of them zero as biases are at the start."""
  variables = module.init(jax.random.key(1), x, places())

  def shake(leaf: jax.Array) -> jax.Array:
    wave = jnp.cos(jnp.arange(leaf.size, dtype=jnp.float32))
    return _rounded(leaf + 0.1 * wave.reshape(leaf.shape))

  return jax.tree.map(shake, variables)


def count(tree: Any) -> int:
  """The numbers in a tree."""
  return sum(leaf.size for leaf in jax.tree.leaves(tree))


def _loss(y: jax.Array, where: Places) -> jax.Array:
  """A sum in which every valid output has a weight of its own."""
  weights = jnp.cos(jnp.arange(y.size, dtype=jnp.float32)).reshape(y.shape)
  weighted = y.astype(jnp.float32) * weights
  return jnp.sum(jnp.where(where.valid[..., None], weighted, 0.0))


class Subject:
  """A case with its parameters, and what its programs gave."""

  def __init__(self, case: Case):
    """Notes down the record before anybody used it."""
    self.case = case
    self.mixer = case.mixer
    self.before = repr(case.mixer), hash(case.mixer)
    self.x = vectors(case.width)
    self.traces = {"whole": 0, "stream": 0}
    self._empty: dict[int, Any] = {}
    self.parameters = _start(self.mixer, self.x)

  @functools.cached_property
  def _whole(self) -> Any:
    def whole(mixer: Mixer, variables: Any, x: Any, where: Places) -> dict:
      self.traces["whole"] += 1

      def apply(x: Any, where: Places, at: Any = None) -> Any:
        return mixer.apply(variables, x, where, at=at)

      def one(x: Any, where: Places) -> Any:
        row = jax.tree.map(lambda leaf: leaf[None], (x, where))
        return apply(*row)[0]

      y, back = jax.vjp(lambda x: apply(x, where), x)
      # One output at a time, all its numbers weighed differently.
      weights = jnp.cos(jnp.arange(x.shape[-1], dtype=x.dtype))
      seeds = jnp.eye(x.shape[1])[:, None, :, None] * weights[None, None, None]
      seeds = jnp.broadcast_to(seeds, seeds.shape[:1] + x.shape)
      slopes = jax.vmap(lambda seed: back(seed)[0])(seeds)
      return {
        "y": y,
        "at": apply(x, where, jnp.asarray(ASKED)),
        "vmap": jax.vmap(one)(x, where),
        "slopes": jnp.moveaxis(slopes, 0, 1),
      }

    return jax.jit(whole, static_argnums=0)

  def run(self, x: Any, mixer: Mixer | None = None) -> dict[str, np.ndarray]:
    """Outputs and slopes of all rows, from the one program of the case."""
    mixer = self.mixer if mixer is None else mixer
    results = self._whole(mixer, self.parameters, x, places())
    return {name: np.asarray(value) for name, value in results.items()}

  @functools.cached_property
  def whole(self) -> dict[str, np.ndarray]:
    """y [b t d], the same under vmap, at ASKED, and slopes [b t s d]."""
    return self.run(self.x)

  @functools.cached_property
  def depends(self) -> np.ndarray:
    """max_d |∂ y_t / ∂ x_s| over its largest value, [b t s]."""
    slopes = np.abs(self.whole["slopes"]).max(axis=-1)
    return slopes / slopes.max()

  @functools.cached_property
  def _block(self) -> Any:
    block = Block(self.mixer.copy(parent=None), FeedForward(expansion=1))
    variables = _start(block, self.x)

    def loss(variables: Any, x: Any, where: Places) -> Any:
      y = block.apply(variables, x, where)
      return _loss(y, where), y

    compiled = jax.jit(jax.grad(loss, argnums=(0, 1), has_aux=True))
    return functools.partial(compiled, variables)

  def poisoned(self, poison: float) -> tuple[Any, Any, Any]:
    """Outputs of a block, and gradients to its parameters and inputs.

    Args:
      poison: what stands on padding; unless it is 0, positions are far there.
    """
    x = jnp.where(jnp.asarray(VALID[..., None]), self.x, poison)
    gradients, y = self._block(x, far(places()) if poison else places())
    return y, *gradients

  @functools.cached_property
  def corners(self) -> dict[str, Any]:
    """Value and gradients at the shortest length, and in bfloat16."""
    length = self.case.shortest
    short = places((slice(0, 5), slice(0, length)))
    short = Places(short.positions, short.segments.at[2].set(0))

    def loss(variables: Any, x: Any, where: Places) -> Any:
      y = self.mixer.apply(variables, x, where)
      return _loss(y, where), y

    @jax.jit
    def both(variables: Any, x: Any) -> Any:
      gradient = jax.grad(loss, argnums=(0, 1), has_aux=True)
      return {
        "short": gradient(variables, x[:5, :length], short),
        "bfloat16": gradient(variables, x.astype(jnp.bfloat16), places()),
      }

    return both(self.parameters, self.x)

  def model(self, layers: int) -> Any:
    """The shapes of the parameters of a model with such blocks."""
    model = SequenceModel(
      self.mixer,
      layers=layers,
      width=self.case.width,
      position=LearnedPosition(length=LENGTH),
      vocabulary=5,
      classes=3,
    )
    tokens = jnp.zeros(SEGMENTS.shape, jnp.int32)
    shapes = jax.eval_shape(model.init, jax.random.key(0), tokens, places())
    return shapes["params"]

  @property
  def source(self) -> tuple[jax.Array, Places]:
    """Another sequence to read from, of another length than the own one."""
    return self.x[:, :5] + 1, places((slice(None), slice(0, 5)))

  def empty(self, length: int) -> Any:
    """The cache of a stream of `length` tokens before its first."""
    if length not in self._empty:
      self._empty[length] = self._cache(length)
    return self._empty[length]

  def _cache(self, length: int) -> Any:
    rows = np.ix_(STREAMED, range(min(length, LENGTH)))

    def start() -> Any:
      x = jnp.zeros((len(STREAMED), length, self.case.width))
      where = places(rows)
      if length > LENGTH:
        where = Places(*2 * [jnp.ones(x.shape[:2], jnp.int32)])
      variables = self.parameters
      return self.mixer.apply(variables, x, where, mutable=["cache"])[1]

    shapes = jax.eval_shape(start).get("cache", {})
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)

  @functools.cached_property
  def _append(self) -> Any:
    @jax.jit
    def append(variables: Any, cache: Any, x: Any, where: Places) -> Any:
      self.traces["stream"] += 1
      variables = {**variables, "cache": cache}
      y, new = self.mixer.apply(variables, x, where, mutable=["cache"])
      return y, new.get("cache", {})

    return append

  def stream(
    self, schedule: Sequence[Sequence[Sequence[int]]]
  ) -> list[tuple[np.ndarray, np.ndarray]]:
    """The tokens read at each call [b n], and the outputs given [b n d]."""
    cache = self.empty(LENGTH)
    rows = np.asarray(STREAMED)[:, None]
    given = []
    for tokens in map(np.asarray, schedule):
      read = tokens >= 0
      x = jnp.where(jnp.asarray(read[..., None]), self.x[rows, tokens], 0.0)
      segments = np.where(read, SEGMENTS[rows, tokens], 0)
      positions = np.where(read, POSITIONS[rows, tokens], 0)
      where = Places(jnp.asarray(positions), jnp.asarray(segments))
      y, cache = self._append(self.parameters, cache, x, where)
      given.append((tokens, np.asarray(y)))
    return given


@functools.lru_cache(maxsize=1)
def subject(name: str) -> Subject:
  """The case of that name, for all laws, which run case by case."""
  forget()
  return Subject(mixer_cases()[name])
