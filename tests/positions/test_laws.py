"""The laws of position encodings, run for every case of the table."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.positions.base import InputPosition, ScorePosition
from tests.cases import Laws
from tests.positions.cases import CASES, PositionCase
from tests.positions.problem import pairs
from tests.tolerance import assert_close

B, T, S, H, K, V = 2, 3, 5, 2, 4, 6
FORBIDDEN = -10.0
"""A number in place of −∞, which has no differences."""
law = Laws(CASES)
KEYS = np.array([[0, 1, 4, 9, 11], [2, 3, 5, 6, 20]], np.int32)
"""Positions grow, but not by one."""
QUERIES = KEYS[:, [1, 3, 4]]

generator = np.random.default_rng(3)
Q = jnp.asarray(generator.normal(size=(B, T, H, K)), jnp.float32)
KEY = jnp.asarray(generator.normal(size=(B, S, H, K)), jnp.float32)
X = jnp.asarray(generator.normal(size=(B, S, K)), jnp.float32)


def at_scores(case: PositionCase) -> bool:
  return isinstance(case.encoding, ScorePosition)


def at_input(case: PositionCase) -> bool:
  return isinstance(case.encoding, InputPosition)


def _scores(module: Any, q: Any, k: Any, at_q: Any, at_k: Any) -> Any:
  q, k = module.rotate(q, k, at_q, at_k)
  assert q.shape[-1] == k.shape[-1]
  scores = jnp.einsum("bthk,bshk->bhts", q, k) * q.shape[-1] ** -0.5
  bias = module.bias(q, k, pairs(at_q, at_k))
  return scores if bias is None else scores + bias


def _read(module: Any, q: Any, k: Any, at_q: Any, at_k: Any) -> Any:
  """Everything that an encoding tells: scores, and what it adds to values."""
  scores = _scores(module, q, k, at_q, at_k)
  weights = jax.nn.softmax(scores, axis=-1)
  return scores, module.values(weights, V, pairs(at_q, at_k))


def started(module: Any, q: Any, k: Any, at_q: Any, at_k: Any) -> Any:
  """Variables of an encoding, none of them zero as they may be at the start."""
  where = jnp.asarray(at_q), jnp.asarray(at_k)
  variables = module.init(jax.random.key(0), q, k, *where, method=_read)

  def shake(leaf: Any) -> Any:
    wave = jnp.cos(jnp.arange(leaf.size, dtype=leaf.dtype))
    return leaf + 0.1 * wave.reshape(leaf.shape)

  return jax.tree.map(shake, variables)


@functools.cache
def variables_of(name: str) -> Any:
  """The variables of a case, made once."""
  return started(CASES[name].encoding, Q, KEY, QUERIES, KEYS)


def scores(name: str, q: Any, k: Any, at_q: Any, at_k: Any) -> Any:
  """Scores [b h t s] under the encoding, with its parameters.

  What is forbidden, by a score of −∞, scores `FORBIDDEN`.
  """
  given = jnp.asarray(at_q), jnp.asarray(at_k)
  found = CASES[name].encoding.apply(
    variables_of(name), q, k, *given, method=_scores
  )
  return jnp.where(found == -jnp.inf, FORBIDDEN, found)


def told(name: str, x: Any, positions: Any) -> Any:
  """`x` with its positions added, and the parameters."""
  encoding = CASES[name].encoding
  variables = encoding.init(jax.random.key(0), X, jnp.asarray(KEYS))
  return encoding.apply(variables, x, jnp.asarray(positions))


@law(at_scores)
@pytest.mark.parametrize("shift", [1, 37])
def test_only_differences_matter(name, shift):
  shifted = scores(name, Q, KEY, QUERIES + shift, KEYS + shift)
  assert_close(shifted, scores(name, Q, KEY, QUERIES, KEYS), level="module")


@law(at_scores)
def test_tells_positions_in_scores(name):
  plain = scores(name, Q, KEY, QUERIES, KEYS)
  moved = scores(name, Q, KEY, QUERIES + 1, KEYS)
  assert (np.abs(plain - moved).max(axis=(2, 3)) > 1e-3).all()


@law(at_scores)
def test_slices_can_be_computed_apart(name):
  assert CASES[name].encoding.blockable
  whole = scores(name, Q, KEY, QUERIES, KEYS)
  part = scores(name, Q[:, 1:], KEY[:, 2:], QUERIES[:, 1:], KEYS[:, 2:])
  assert_close(part, np.asarray(whole)[:, :, 1:, 2:], level="core")


@law(at_scores)
def test_dtype_is_kept_in_scores(name):
  encoding, variables = CASES[name].encoding, variables_of(name)
  where = jnp.asarray(QUERIES), jnp.asarray(KEYS)
  low = Q.astype(jnp.bfloat16), KEY.astype(jnp.bfloat16)
  q, k = encoding.apply(variables, *low, *where, method="rotate")
  assert q.dtype == k.dtype == jnp.bfloat16
  high = jax.tree.map(lambda x: x.astype(jnp.float32), low)
  wanted = encoding.apply(variables, *high, *where, method="rotate")
  assert_close((q, k), wanted, level="core")
  bias = encoding.apply(variables, *low, pairs(*where), method="bias")
  if bias is not None:
    assert bias.shape == (B, H, T, S) and bias.dtype == jnp.float32


@law(at_scores)
def test_says_whether_it_turns(name):
  where = jnp.asarray(QUERIES), jnp.asarray(KEYS)
  encoding = CASES[name].encoding
  turned = encoding.apply(variables_of(name), Q, KEY, *where, method="rotate")
  for before, after in zip((Q, KEY), turned, strict=True):
    assert encoding.turns == bool((np.asarray(before) != after).any())


@law(at_scores)
def test_shared_keys_turn_alike(name):
  where = jnp.asarray(QUERIES), jnp.asarray(KEYS)
  apply, variables = CASES[name].encoding.apply, variables_of(name)
  wanted = apply(variables, Q, KEY, *where, method="rotate")
  q, k = apply(variables, Q, KEY[:, :, 1:], *where, method="rotate")
  np.testing.assert_array_equal(q, wanted[0])
  np.testing.assert_array_equal(k, wanted[1][:, :, 1:])


@law(at_scores)
def test_gradients_in_scores(name):
  def loss(variables: Any, q: Any, k: Any) -> Any:
    where = jnp.asarray(QUERIES), jnp.asarray(KEYS)
    apply = CASES[name].encoding.apply
    found, more = apply(variables, q, k, *where, method=_read)
    found = jnp.where(found == -jnp.inf, 0.0, found)
    parts = [found] if more is None else [found, more]
    # Every number weighs differently, so that none of them cancel.
    waves = [jnp.cos(jnp.arange(y.size, dtype=y.dtype)) for y in parts]
    return sum(
      jnp.vdot(wave, y.ravel()) for wave, y in zip(waves, parts, strict=True)
    )

  slopes = jax.grad(loss, argnums=(0, 1, 2))(variables_of(name), Q, KEY)
  for leaf in jax.tree.leaves(slopes):
    assert np.isfinite(leaf).all() and np.asarray(leaf).any()


@law(at_scores)
@pytest.mark.parametrize("heads, width", [(2, 4), (4, 8)])
def test_parameters_in_scores(name, heads, width):
  case = CASES[name]
  q, k = jnp.zeros((B, T, heads, width)), jnp.zeros((B, S, heads, width))
  start = functools.partial(started, case.encoding)
  shapes = jax.eval_shape(start, q, k, QUERIES, KEYS)
  count = sum(leaf.size for leaf in jax.tree.leaves(shapes))
  assert count == case.score_parameters(heads, width)


@law(at_input)
def test_tells_positions_at_the_input(name):
  plain = told(name, X, KEYS)
  moved = told(name, X, KEYS + 1)
  assert (np.abs(plain - moved).max(axis=2) > 1e-3).all()


@law(at_input)
def test_only_the_position_decides(name):
  table = np.asarray(told(name, jnp.zeros_like(X), KEYS))
  assert_close(told(name, X, KEYS) - X, table, level="module")
  order = np.array([3, 0, 4, 2, 1])
  shuffled = told(name, jnp.zeros_like(X), KEYS[:, order])
  np.testing.assert_array_equal(shuffled, table[:, order])
  same = np.asarray(told(name, jnp.zeros_like(X), np.full_like(KEYS, 9)))
  np.testing.assert_array_equal(same, np.broadcast_to(table[0, 3], X.shape))


@law(at_input)
def test_dtype_is_kept_at_the_input(name):
  low = told(name, X.astype(jnp.bfloat16), KEYS)
  assert low.shape == X.shape and low.dtype == jnp.bfloat16
  high = told(name, X.astype(jnp.bfloat16).astype(jnp.float32), KEYS)
  assert high.dtype == jnp.float32
  assert_close(low, high, level="core")


@law(at_input)
@pytest.mark.parametrize("width", [4, 6])
def test_parameters_at_the_input(name, width):
  case = CASES[name]
  x = jnp.zeros((B, S, width))
  where = jnp.asarray(KEYS)
  shapes = jax.eval_shape(case.encoding.init, jax.random.key(0), x, where)
  count = sum(leaf.size for leaf in jax.tree.leaves(shapes))
  assert count == case.parameters(width)


@law(at_input)
def test_far_positions_at_the_input(name):
  reach = CASES[name].encoding.reach
  far = (reach or 100_000) - 1
  positions = np.array([[0, 1, far - 2, far - 1, far]] * B, np.int32)
  assert np.isfinite(told(name, X, positions)).all()


@law(at_scores)
def test_far_positions_in_scores(name):
  far = 100_000
  assert np.isfinite(scores(name, Q, KEY, QUERIES + far, KEYS + far)).all()
  assert np.isfinite(scores(name, Q, KEY, QUERIES + far, KEYS)).all()
  assert np.isfinite(scores(name, Q, KEY, QUERIES, KEYS + far)).all()


@law(at_input)
def test_axes_at_the_input(name):
  grid = np.stack([KEYS, KEYS], axis=-1)
  if 2 in CASES[name].axes:
    assert told(name, X, grid).shape == X.shape
  else:
    with pytest.raises(ValueError, match="positions .*; allowed: .*one axis"):
      told(name, X, grid)


@law(at_scores)
def test_axes_in_scores(name):
  grid = np.stack([QUERIES] * 2, axis=-1), np.stack([KEYS] * 2, axis=-1)
  if 2 in CASES[name].axes:
    assert scores(name, Q, KEY, *grid).shape == (B, H, T, S)
  else:
    with pytest.raises(ValueError, match="positions .*; allowed: .*one axis"):
      scores(name, Q, KEY, *grid)


@law(at_input)
def test_odd_widths_at_the_input(name):
  case = CASES[name]
  x = jnp.zeros((B, S, 5))
  if case.even:
    with pytest.raises(ValueError, match="width = 5 .*; allowed: even"):
      case.encoding.init(jax.random.key(0), x, jnp.asarray(KEYS))
  else:
    y, _ = case.encoding.init_with_output(
      jax.random.key(0), x, jnp.asarray(KEYS)
    )
    assert y.shape == x.shape


@law(at_scores)
def test_odd_widths_in_scores(name):
  case = CASES[name]
  case.encoding.check(K)
  if case.even:
    with pytest.raises(ValueError, match="width = 5 .*; allowed: even"):
      case.encoding.check(5)
  else:
    case.encoding.check(5)


def test_exceptions_name_laws():
  law.check_exceptions()
