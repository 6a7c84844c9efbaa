"""The strided convolution: what it computes, and where its outputs stand."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.models.strided import StridedConvolution
from research.places import Places, whole
from tests.tolerance import assert_close

B, T, D = 4, 11, 4
generator = np.random.default_rng(3)
SEGMENTS = np.array(
  [
    [1] * 11,
    [1, 1, 1, 1, 1, 1, 2, 2, 2, 0, 0],
    [3, 3, 3, 3, 3, 3, 3, 0, 0, 0, 0],
    [0] * 11,
  ],
  np.int32,
)
POSITIONS = np.cumsum(generator.integers(1, 4, size=(B, T)), axis=1)
PLACES = Places(jnp.asarray(POSITIONS), jnp.asarray(SEGMENTS))
X = jnp.asarray(generator.normal(size=(B, T, D)), jnp.float32)
X = jnp.where(PLACES.valid[..., None], X, 0.0)

same = StridedConvolution(kernel_size=4, groups=2, features=6)
valid = StridedConvolution(stride=3, dilation=2, padding="valid")


@functools.partial(jax.jit, static_argnums=0)
def run(module: Any, parameters: Any, x: Any, places: Any, seed: Any) -> Any:
  """Outputs, their places, and gradients."""

  def call(parameters: Any, x: Any) -> Any:
    return module.apply(parameters, x, places)

  y, back, where = jax.vjp(call, parameters, x, has_aux=True)
  return y, where, back(seed)


def by_hand(
  module: Any, parameters: Any, x: Any, seed: Any
) -> tuple[Any, Any, Any, Any]:
  """Outputs, positions, segments and slopes of x, window by window."""
  w, bias = (np.asarray(parameters[n], np.float64) for n in ("filter", "bias"))
  x, k, gap = np.asarray(x, np.float64), module.kernel_size, module.dilation
  before = (k - 1) // 2 * gap
  reach = (k - 1) * gap
  ends = module.padding == "valid"
  centres = range(before, T - reach + before) if ends else range(T)
  centres = [*centres][:: module.stride]
  y = np.zeros((B, len(centres), len(bias)))
  segments, slopes = SEGMENTS[:, centres].copy(), np.zeros_like(x)
  inputs, outputs = D // module.groups, len(bias) // module.groups
  for b, n in np.ndindex(y.shape[:2]):
    # The first tap stands on the latest token.
    window = [centres[n] - before + reach - tap * gap for tap in range(k)]
    own = SEGMENTS[b, centres[n]]
    inside = [0 <= s < T and SEGMENTS[b, s] == own for s in window]
    if own == 0 or (ends and not all(inside)):
      segments[b, n] = 0
      continue
    y[b, n] = bias
    for tap, s in enumerate(window):
      for g in range(module.groups if inside[tap] else 0):
        i = slice(g * inputs, (g + 1) * inputs)
        o = slice(g * outputs, (g + 1) * outputs)
        y[b, n, o] += x[b, s, i] @ w[tap][:, o]
        slopes[b, s, i] += w[tap][:, o] @ seed[b, n, o]
  return y, POSITIONS[:, centres], segments, slopes


@pytest.mark.parametrize("module", [same, valid], ids=["same", "valid"])
def test_it_is_its_formula(module):
  variables = module.init(jax.random.key(0), X, PLACES)
  out = module.features or D
  count = module.kernel_size * D * out // module.groups + out
  assert sum(leaf.size for leaf in jax.tree.leaves(variables)) == count
  variables["params"]["bias"] += jnp.arange(1.0, out + 1)
  shapes = jax.eval_shape(module.apply, variables, X, PLACES)[0].shape
  seed = generator.normal(size=shapes).astype(np.float32)
  y, where, gradients = run(module, variables, X, PLACES, seed)
  wanted = by_hand(module, variables["params"], X, seed)
  assert_close(y, wanted[0], level="module")
  np.testing.assert_array_equal(where.positions, wanted[1])
  np.testing.assert_array_equal(where.segments, wanted[2])
  assert_close(gradients[1], wanted[3], level="module", gradient=True)
  # What stands on padding is not looked at.
  poison = jnp.where(PLACES.valid[..., None], X, jnp.nan)
  again = run(module, variables, poison, PLACES, seed)
  np.testing.assert_array_equal(again[0], y)
  jax.tree.map(np.testing.assert_array_equal, again[2], gradients)


@pytest.mark.parametrize(
  "module",
  [
    StridedConvolution(),
    StridedConvolution(kernel_size=2, stride=3, padding="valid"),
  ],
  ids=["same", "valid"],
)
def test_a_packed_sequence_is_the_sequence_apart(module):
  variables = module.init(jax.random.key(0), X, PLACES)
  seed = jnp.zeros(jax.eval_shape(module.apply, variables, X, PLACES)[0].shape)
  y, where, _ = run(module, variables, X, PLACES, seed)
  # The second sequence of the second row begins at a multiple of the stride.
  moved = jnp.roll(X, -6, axis=1).at[:, 3:].set(0.0)
  segments = jnp.asarray([[2] * 3 + [0] * 8] * B)
  apart, alone, _ = run(
    module, variables, moved, Places(PLACES.positions, segments), seed
  )
  first = 6 // module.stride
  count = int((np.asarray(alone.segments)[1] > 0).sum())
  assert count == (2 if module.padding == "same" else 1)
  assert_close(
    y[1, first : first + count], np.asarray(apart[1, :count]), level="module"
  )
  np.testing.assert_array_equal(
    where.segments[1, first:],
    alone.segments[1, : len(where.segments[1, first:])],
  )


def test_positions_of_grids_stay_together():
  grid = jnp.stack([PLACES.positions, PLACES.positions + 1], axis=-1)
  places = Places(grid, PLACES.segments)
  (_, where), _ = StridedConvolution().init_with_output(
    jax.random.key(0), X, places
  )
  np.testing.assert_array_equal(where.positions, grid[:, ::2])


@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ({"kernel_size": 0}, "kernel_size = 0; allowed: 1 or more"),
    ({"stride": 0}, "stride = 0; allowed: 1 or more"),
    ({"dilation": 0}, "dilation = 0; allowed: 1 or more"),
    ({"groups": 0}, "groups = 0; allowed: 1 or more"),
    ({"features": -1}, "features = -1; allowed: 0 or more"),
    ({"padding": "full"}, "padding = 'full'; allowed: 'same', 'valid'"),
    ({"groups": 3}, "groups = 3 does not divide width 4; allowed: "),
    (
      {"groups": 2, "features": 5},
      "groups = 2 does not divide features 5; allowed: ",
    ),
    (
      {"kernel_size": 7, "dilation": 2, "padding": "valid"},
      "kernel_size = 7 reaches over 13 tokens with dilation = 2; allowed: up "
      "to the sequence length 11",
    ),
  ],
)
@pytest.mark.usefixtures("unchecked")
def test_what_does_not_fit_is_refused(fields, message):
  with pytest.raises(ValueError, match=message):
    StridedConvolution(**fields).init(jax.random.key(0), X, PLACES)


def test_a_graph_is_refused():
  edges = jnp.ones((B, T, T), bool)
  places = Places(PLACES.positions, PLACES.segments, edges)
  with pytest.raises(ValueError, match="edges .*; allowed: None"):
    StridedConvolution().init(jax.random.key(0), X, places)


def test_a_plain_row_is_shortened_to_its_half():
  x = X[:1, :7]
  (y, where), _ = StridedConvolution().init_with_output(
    jax.random.key(0), x, whole(x)
  )
  assert y.shape == (1, 4, D)
  np.testing.assert_array_equal(where.positions, [[0, 2, 4, 6]])
