"""The laws of normalisers, run for every case of the table.

All laws of a case share one compiled program and one shape.
"""

import functools
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.normalizers.base import NOBODY, Rows
from tests.cases import Laws
from tests.normalizers.cases import CASES
from tests.tolerance import assert_close

B, H, T, S = 2, 2, 3, 6
law = Laws(CASES)

generator = np.random.default_rng(11)
SCORES = generator.normal(scale=2.0, size=(B, H, T, S)).astype(np.float32)
SEED = generator.normal(size=(B, H, T, S)).astype(np.float32)
STEP = generator.normal(size=(B, H, T, S)).astype(np.float32)
ALLOWED = generator.random((B, 1, T, S)) < 0.7
ALLOWED[0, 0, 1] = False
"""A query without keys."""
ALLOWED[1, 0, 2] = np.arange(S) == 3
"""A query with one key."""
ALLOWED[..., -1] = False
"""A key for nobody."""
EVERYWHERE = np.broadcast_to(ALLOWED, SCORES.shape)
ANY = EVERYWHERE.any(axis=-1)


@functools.cache
def variables(name: str) -> Any:
  """The parameters of a case, moved away from where they start."""
  normalizer = CASES[name].normalizer
  given = jnp.asarray(SCORES), jnp.asarray(ALLOWED)
  start = normalizer.init(jax.random.key(0), *given)
  return jax.tree.map(lambda p: p + jnp.linspace(-1.0, 0.5, p.size), start)


@functools.cache
def program(name: str) -> Any:
  """Weights, gradients under SEED, and the tangent along STEP and ones."""

  @jax.jit
  def run(variables: Any, scores: Any, allowed: Any) -> Any:
    def weights(variables: Any, scores: Any) -> Any:
      return CASES[name].normalizer.apply(variables, scores, allowed)

    given = variables, scores
    along = jax.tree.map(jnp.ones_like, variables), jnp.asarray(STEP)
    y, tangent = jax.jvp(weights, given, along)
    return y, jax.vjp(weights, *given)[1](jnp.asarray(SEED)), tangent

  return run


def computed(name: str, scores: Any = SCORES, allowed: Any = ALLOWED) -> Any:
  """Weights, (gradients of parameters, of scores) and tangent in NumPy."""
  given = jnp.asarray(scores), jnp.asarray(allowed)
  return jax.tree.map(np.asarray, program(name)(variables(name), *given))


def weights(name: str, scores: Any = SCORES, allowed: Any = ALLOWED) -> Any:
  return computed(name, scores, allowed)[0]


def same(actual: Any, wanted: Any) -> None:
  """Fails unless all arrays are equal bit for bit."""
  jax.tree.map(np.testing.assert_array_equal, actual, wanted)


def formula(name: str, head: int, s: Any, theta: Any) -> np.ndarray:
  """The weights of one query from its allowed scores, in float64."""
  case = CASES[name]
  s = s / case.normalizer.temperature
  if cap := case.normalizer.cap:
    s = cap * np.tanh(s / cap)
  return case.formula(s, {key: p[head] for key, p in theta.items()})


@functools.cache
def reference(name: str) -> Any:
  """What `computed` returns, in float64; derivatives by differences."""
  near = 1e-6
  start = variables(name).get("params", {})
  theta = {key: np.asarray(p, np.float64) for key, p in start.items()}
  y, gradient, tangent = (np.zeros(SCORES.shape) for _ in range(3))
  slopes = {key: np.zeros(H) for key in theta}
  for row in np.argwhere(ANY):
    row, head = tuple(row), row[1]
    keys = np.flatnonzero(EVERYWHERE[row])
    here = functools.partial(formula, name, head)
    s, seed = (a[row][keys].astype(np.float64) for a in (SCORES, SEED))
    y[row][keys] = here(s, theta)
    for i, key in enumerate(keys):
      shift = near * np.eye(len(keys))[i]
      slope = (here(s + shift, theta) - here(s - shift, theta)) / (2 * near)
      gradient[row][key] = seed @ slope
      tangent[row][keys] += slope * STEP[row][key]
    for key in theta:
      more, less = (theta | {key: theta[key] + d} for d in (near, -near))
      slope = (here(s, more) - here(s, less)) / (2 * near)
      slopes[key][head] += seed @ slope
      tangent[row][keys] += slope
  return y, ({"params": slopes} if slopes else {}, gradient), tangent


@law()
def test_float64_formula(name):
  actual, wanted = computed(name), reference(name)
  assert_close(actual[0], wanted[0], level="core")
  assert_close(actual[1], wanted[1], level="core", gradient=True)
  assert_close(actual[2], wanted[2], level="core", gradient=True)


@law()
def test_nothing_where_not_allowed(name):
  y, (_, gradient), tangent = computed(name)
  for array in (y, gradient, tangent):
    assert array.dtype == np.float32 and array.shape == SCORES.shape
    assert not array[~EVERYWHERE].any()
    assert array[EVERYWHERE].any()


@law()
def test_a_query_without_keys(name):
  y, gradients, tangent = computed(name, allowed=np.zeros_like(ALLOWED))
  for array in jax.tree.leaves((y, gradients, tangent)):
    assert not array.any()  # not NaN either, which is true


@law()
def test_forbidden_scores_change_nothing(name):
  wanted = computed(name)
  for poison in (1e9, -1e9, np.nan, np.inf, -np.inf):
    same(computed(name, np.where(EVERYWHERE, SCORES, poison)), wanted)


@law()
def test_a_key_that_is_not_allowed_does_not_count(name):
  short = jnp.asarray(SCORES[..., :-1]), jnp.asarray(ALLOWED[..., :-1])
  y = CASES[name].normalizer.apply(variables(name), *short)
  assert_close(y, weights(name)[..., :-1], level="core")


@law()
def test_nan_is_seen(name):
  scores = SCORES.copy()
  scores[EVERYWHERE & (np.cumsum(EVERYWHERE, axis=-1) == 1)] = np.nan
  seen = np.isnan(weights(name, scores)).any(axis=-1)
  np.testing.assert_array_equal(seen, ANY)


@law()
def test_order_of_keys(name):
  order = np.array([4, 2, 5, 0, 3, 1])
  y = weights(name, SCORES[..., order], ALLOWED[..., order])
  assert_close(y, weights(name)[..., order], level="core")


@law()
def test_queries_and_heads_are_independent(name):
  scores = SCORES.copy()
  scores[1, 0, 1] = np.linspace(0.1, 0.5, S)
  y, (_, gradient), _ = computed(name, scores)
  plain, (_, slope), _ = computed(name)
  changed = (y != plain) | (gradient != slope)
  assert changed[1, 0, 1].any()
  changed[1, 0, 1] = False
  assert not changed.any()


@law()
def test_sum(name):
  y = weights(name)
  assert (y >= 0).all()
  total = y.sum(axis=-1)[ANY]
  if CASES[name].sums_to_one:
    assert_close(total, np.ones(total.shape), level="core")
  else:
    assert np.abs(total - 1).max() > 1e-2


@law()
def test_shift(name):
  moved = weights(name, SCORES + np.float32(16.0))
  if CASES[name].shift_invariant:
    # Not as a core: shifted scores are rounded before they are passed.
    assert_close(moved, weights(name), level="module")
  else:
    assert np.abs(moved - weights(name)).max() > 1e-2


@law()
def test_temperature_and_cap(name):
  normalizer = CASES[name].normalizer
  bent = 3.0 * np.tanh(np.float64(SCORES) / 2.0 / 3.0)
  same_family = normalizer.copy(temperature=1.0, cap=0.0)
  wanted = same_family.apply(
    variables(name), jnp.asarray(bent, jnp.float32), jnp.asarray(ALLOWED)
  )
  y = normalizer.copy(temperature=2.0, cap=3.0).apply(
    variables(name), jnp.asarray(SCORES), jnp.asarray(ALLOWED)
  )
  assert_close(y, wanted, level="core")


@law()
@pytest.mark.parametrize("size", [1e4, -1e4])
def test_large_scores(name, size):
  near = (SCORES + size).astype(np.float32)
  far = (SCORES * size).astype(np.float32)
  for scores in (near, far):
    y, gradients, tangent = computed(name, scores)
    for array in jax.tree.leaves((gradients, tangent)):
      assert np.isfinite(array).all()
    theta = variables(name).get("params", {})
    wanted = np.zeros(SCORES.shape)
    for row in np.argwhere(ANY):
      row, head = tuple(row), row[1]
      s = scores[row][EVERYWHERE[row]].astype(np.float64)
      wanted[row][EVERYWHERE[row]] = formula(name, head, s, theta)
    assert_close(y, wanted, level="core")


@law()
def test_jit(name):
  given = jnp.asarray(SCORES), jnp.asarray(ALLOWED)
  y = CASES[name].normalizer.apply(variables(name), *given)
  assert_close(weights(name), y, level="core")


@law()
@pytest.mark.parametrize("heads", [1, 4])
def test_parameters(name, heads):
  case = CASES[name]
  scores = jnp.zeros((1, heads, 2, 3))
  allowed = jnp.ones((1, 1, 2, 3), bool)
  shapes = jax.eval_shape(
    case.normalizer.init, jax.random.key(0), scores, allowed
  )
  count = sum(leaf.size for leaf in jax.tree.leaves(shapes))
  assert count == case.parameters(heads)


@law()
def test_blockable(name):
  assert CASES[name].normalizer.blockable == CASES[name].blockable


@law()
def test_online(name):
  """Numerators that need no total can be made before it is known."""
  normalizer = CASES[name].normalizer
  if not normalizer.blockable:
    return
  top = jnp.full(SCORES.shape[:3] + (1,), 3.0)
  unknown = normalizer.apply(
    variables(name),
    jnp.asarray(SCORES),
    jnp.ones(SCORES.shape, bool),
    Rows(top, top * jnp.nan),
    method="above",
  )
  assert np.isfinite(unknown).all() == normalizer.online


@law()
def test_a_row_without_keys_has_a_divisor(name):
  normalizer = CASES[name].normalizer
  if not normalizer.blockable:
    return
  top = jnp.full(SCORES.shape[:3] + (1,), NOBODY)
  rows = Rows(top, jnp.zeros_like(top))
  divisor = normalizer.apply(variables(name), rows, method="divisor")
  assert np.isfinite(divisor).all() and (np.asarray(divisor) > 0).all()


@law()
def test_refused_fields(name):
  case = CASES[name]
  for field, value in [
    *[("temperature", t) for t in (0.0, -1.0, np.nan, np.inf)],
    *[("cap", c) for c in (-1.0, np.nan, np.inf)],
    *[item for fields in case.refused for item in fields.items()],
  ]:
    message = re.escape(f"{field} = {value}; allowed: ")
    with pytest.raises(ValueError, match=message):
      case.normalizer.copy(**{field: value})


def test_exceptions_name_laws():
  law.check_exceptions()
