"""The contracts carry what comes later, shown by small throw-away modules.

An encoder–decoder with caches and beams, a padded bidirectional recurrence,
packed documents, two position axes, a graph.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.attention.layer import Attention
from research.masks import Full
from research.mixer import Mixer, dense, enter, leave
from research.models.block import Block
from research.models.feed_forward import FeedForward
from research.models.sequence import SequenceModel
from research.places import Pairs, Places, whole
from research.positions.base import ScorePosition
from tests.tolerance import assert_close

B, T, D = 2, 6, 8
KEY = jax.random.key(0)
X, SOURCE = jnp.asarray(
  np.random.default_rng(1).normal(size=(2, B, T, D)), jnp.float32
)


def start(module: nn.Module, *inputs: Any) -> Any:
  """The variables of the module."""
  return jax.jit(module.init)(KEY, *inputs)


def rows(segments: list[list[int]], positions: Any = None) -> Places:
  """Places of these segments, with positions counted along the row."""
  counted = whole(X).positions if positions is None else jnp.array(positions)
  return Places(counted, jnp.array(segments))


# Cross-attention, its cache and its beams


class Translator(nn.Module):
  """An encoder that sees everything, and one decoder layer."""

  def setup(self) -> None:
    self.encoder = Block(Attention(2, Full()), FeedForward(1))
    self.own = Block(Attention(2), FeedForward(1))
    self.cross = Block(Attention(2, Full()), FeedForward(1))

  def encode(self, x: Any, places: Places) -> Any:
    return self.encoder(x, places), places

  def decode(self, x: Any, places: Places, memory: Any) -> Any:
    return self.cross(self.own(x, places), places, source=memory)

  def __call__(self, x: Any, places: Places, source: Any) -> Any:
    return self.decode(x, places, self.encode(*source))


def test_cross_attention_reads_a_sequence_with_its_own_places():
  own = rows([[1, 1, 1, 2, 2, 0]] * B)
  read = rows([[0, 1, 1, 2, 2, 2], [1, 2, 2, 2, 0, 0]])
  variables = start(Translator(), X, own, (SOURCE, read))
  run = jax.jit(Translator().apply)
  y = run(variables, X, own, (SOURCE, read))
  poison = jnp.where(read.valid[..., None], SOURCE, jnp.nan)
  poisoned = jnp.where(own.valid[..., None], X, 1e9)
  same = run(variables, poisoned, own, (poison, read))
  np.testing.assert_array_equal(same[:, :5], y[:, :5])
  # The second sentence reads the second source alone.
  changed = SOURCE.at[0, 1].add(1.0).at[1, 0].add(1.0)
  other = run(variables, X, own, (changed, read))
  np.testing.assert_array_equal(other[:, 3:5], y[:, 3:5])
  assert (np.abs(other - y)[:, :3].max(axis=(1, 2)) > 1e-4).all()


def test_a_decoder_streams_against_a_source_and_beams_reorder_its_cache():
  places, read = whole(X), rows([[1, 1, 1, 1, 0, 0], [1] * T])
  variables = start(Translator(), X, places, (SOURCE, read))
  wanted = jax.jit(Translator().apply)(variables, X, places, (SOURCE, read))
  encode = jax.jit(
    lambda x: Translator().apply(variables, x, read, method="encode")
  )

  @jax.jit
  def append(cache: Any, *given: Any) -> Any:
    both = {**variables, "cache": cache}
    y, new = Translator().apply(
      both, *given, mutable=["cache"], method="decode"
    )
    return new["cache"], y

  memory, x = encode(SOURCE), X
  shapes = jax.eval_shape(append, {}, X, places, memory)[0]
  cache = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
  for t in range(T):
    if t == 3:  # the beams change places, and everything goes with them
      moved = (cache, memory, x, wanted)
      cache, memory, x, wanted = jax.tree.map(lambda a: a[::-1], moved)
    token = jax.tree.map(lambda leaf, t=t: leaf[:, t : t + 1], places)
    cache, y = append(cache, x[:, t : t + 1], token, memory)
    assert_close(y, np.asarray(wanted[:, t : t + 1]), level="module")
    # Keys and values of the source were made once: nobody reads it again.
    memory = jnp.full_like(memory[0], jnp.nan), memory[1]


# A padded bidirectional recurrence, and packed documents


class Bidirectional(Mixer):
  """h_t = tanh(W x_t + U h_{t∓1}) in both directions, added up."""

  @property
  def causal(self) -> bool:
    return False

  def state_size(self, width: int, length: int) -> int:
    return 2 * width

  @nn.compact
  def __call__(
    self,
    x: Any,
    places: Places,
    *,
    source: Any = None,
    at: Any = None,
    deterministic: bool = True,
  ) -> Any:
    enter(self, x, places, source)
    y = jnp.zeros_like(x)
    for name in ("forward", "backward"):
      drive = dense(x.shape[-1], x, f"{name}_in")
      matrix = self.param(
        f"{name}_state", nn.initializers.normal(0.5), (x.shape[-1],) * 2
      )

      def step(carry: Any, token: Any, matrix: Any = matrix) -> Any:
        state, document = carry
        drive, segment = token
        fresh, valid = segment != document, segment > 0
        state_in = jnp.where(fresh[:, None], 0.0, state)
        new = jnp.tanh(drive + state_in @ matrix)
        state = jnp.where(valid[:, None], new, state)
        return (state, jnp.where(valid, segment, document)), state

      start = jnp.zeros_like(x[:, 0]), jnp.zeros_like(places.segments[:, 0])
      along = jax.tree.map(
        lambda leaf: jnp.moveaxis(leaf, 1, 0), (drive, places.segments)
      )
      states = jax.lax.scan(step, start, along, reverse=name == "backward")[1]
      y = y + jnp.moveaxis(states, 0, 1)
    return leave(y, places, at)


def bidirectional(variables: Any, x: np.ndarray) -> np.ndarray:
  """The same over one sequence [t d] in float64, with an explicit loop."""
  parameters = jax.tree.map(np.float64, variables["params"])
  total = np.zeros(x.shape)
  for name, direction in (("forward", 1), ("backward", -1)):
    state = np.zeros(x.shape[1])
    for t in range(len(x))[::direction]:
      drive = np.float64(x[t]) @ parameters[f"{name}_in"]["kernel"]
      state = np.tanh(drive + state @ parameters[f"{name}_state"])
      total[t] += state
  return total


def test_a_bidirectional_recurrence_takes_padding_anywhere():
  mixer = Bidirectional()
  places = rows([[0, 0, 1, 1, 1, 0], [1, 1, 1, 2, 2, 0]])
  variables = start(mixer, X, places)
  y = np.asarray(jax.jit(mixer.apply)(variables, X, places))
  for row, first, end in ((0, 2, 5), (1, 0, 3), (1, 3, 5)):
    wanted = bidirectional(variables, np.asarray(X[row, first:end]))
    assert_close(jnp.asarray(y[row, first:end]), wanted, level="module")
  assert not y[~np.asarray(places.valid)].any()
  with pytest.raises(ValueError, match="cache .* not causal; allowed"):
    mixer.apply(variables, X, places, mutable=["cache"])


@pytest.mark.parametrize(
  "mixer", [Attention(2), Bidirectional()], ids=["attention", "recurrence"]
)
def test_packed_documents_are_documents_apart(mixer):
  model = SequenceModel(mixer, layers=2, width=D, classes=3)
  counted = [[0, 1, 2, 0, 1, 0]] * B
  packed = rows([[1, 1, 1, 2, 2, 0]] * B, counted)
  variables = start(model, X, packed)
  run = jax.jit(model.apply)
  y = run(variables, X, packed)
  first = run(variables, X, rows([[1, 1, 1, 0, 0, 0]] * B))
  second = run(
    variables, jnp.roll(X, -3, axis=1), rows([[2, 2, 0, 0, 0, 0]] * B)
  )
  assert_close(y[:, :3], np.asarray(first[:, :3]), level="model")
  assert_close(y[:, 3:5], np.asarray(second[:, :2]), level="model")


# Two position axes


class Taxicab(ScorePosition):
  """bias = −slope_h · (|Δrow| + |Δcolumn|), with a learned slope a head."""

  heads: int = 2

  @nn.compact
  def bias(self, q: Any, k: Any, pairs: Pairs) -> Any:
    slope = self.param("slope", nn.initializers.ones, (self.heads,))
    at_q, at_k = pairs.positions_q, pairs.positions_k
    apart = at_q[:, :, None, :] - at_k[:, None, :, :]
    distance = jnp.sum(jnp.abs(apart), axis=-1).astype(jnp.float32)
    return -slope[None, :, None, None] * distance[:, None, :, :]


def test_two_position_axes():
  grid = np.stack(np.meshgrid([0, 1], [0, 1, 2], indexing="ij"), axis=-1)
  grid = np.broadcast_to(grid.reshape(T, 2), (B, T, 2))
  places = Places(jnp.asarray(grid), whole(X).segments)
  model = SequenceModel(
    Attention(2, Full(), position=Taxicab()), layers=2, width=D, classes=3
  )
  variables = start(model, X, places)
  slope = variables["params"]["block_1"]["mixer"]["position"]["slope"]
  assert slope.shape == (2,)
  run = jax.jit(model.apply)
  y = run(variables, X, places)
  order = jnp.array([4, 2, 0, 5, 3, 1])
  mixed = jax.tree.map(lambda leaf: leaf[:, order], places)
  assert_close(
    run(variables, X[:, order], mixed), np.asarray(y[:, order]), level="model"
  )
  moved = Places(places.positions + jnp.array([[[3, 5]]]), places.segments)
  assert_close(run(variables, X, moved), np.asarray(y), level="model")
  turned = Places(places.positions[..., ::-1] * 2, places.segments)
  assert (np.abs(run(variables, X, turned) - y) > 1e-4).any()
  at = jnp.array([[5, 1]] * B)
  asked = model.apply(variables, X, places, at=at)
  assert_close(asked, np.asarray(y[:, jnp.array([5, 1])]), level="model")


def test_two_position_axes_stream():
  mixer = Attention(2, position=Taxicab())
  grid = jnp.stack([jnp.arange(T) // 3, jnp.arange(T) % 3], axis=-1)
  places = Places(jnp.stack([grid] * B), whole(X).segments)
  variables = start(mixer, X, places)
  run = jax.jit(mixer.apply, static_argnames="mutable")
  _, cache = run(variables, X, places, mutable="cache")
  cache, parts = jax.tree.map(jnp.zeros_like, cache), []
  for part in (slice(0, 3), slice(3, 6)):
    x, where = jax.tree.map(lambda leaf, part=part: leaf[:, part], (X, places))
    y, cache = run({**variables, **cache}, x, where, mutable="cache")
    parts.append(y)
  wanted = np.asarray(run(variables, X, places))
  assert_close(jnp.concatenate(parts, axis=1), wanted, level="module")


def test_attention_over_a_graph_is_attention_over_the_neighbours():
  edges = np.random.default_rng(4).random((B, T, T)) < 0.5
  edges[0, 2] = False  # a node that nobody reaches
  segments = jnp.array([[1] * T, [1, 1, 1, 1, 2, 2]])
  places = Places(whole(X).positions, segments, jnp.asarray(edges))
  mixer = Attention(1, Full())
  variables = start(mixer, X, places)
  y = np.asarray(jax.jit(mixer.apply)(variables, X, places))
  query, key, value, out = (
    np.float64(variables["params"][name]["kernel"])
    for name in ("query", "key", "value", "out")
  )
  wanted = np.zeros(y.shape)
  for b, t in np.ndindex(B, T):
    near = edges[b, t] & (np.asarray(segments[b]) == segments[b, t])
    if not near.any():
      continue
    x = np.float64(X[b])
    scores = (x[near] @ key) @ (x[t] @ query) / np.sqrt(D)
    weights = np.exp(scores) / np.exp(scores).sum()
    wanted[b, t] = weights @ (x[near] @ value) @ out
  assert not y[0, 2].any()
  assert_close(jnp.asarray(y), wanted, level="module")


def test_the_names_of_nodes_do_not_matter():
  edges = jnp.asarray(np.random.default_rng(4).random((B, T, T)) < 0.5)
  model = SequenceModel(Attention(2, Full()), width=D, classes=3)
  places = Places(whole(X).positions, whole(X).segments, edges)
  variables = start(model, X, places)
  run = jax.jit(model.apply)
  order = jnp.array([3, 0, 5, 1, 4, 2])
  turned = edges[:, order][:, :, order]
  renamed = Places(places.positions, places.segments, turned)
  y = run(variables, X[:, order], renamed)
  wanted = run(variables, X, places)[:, order]
  assert_close(y, np.asarray(wanted), level="model")
