"""All scores at once, against float64 and against jax."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.evaluations.attention.dense import dense
from research.evaluations.attention.rules import Parts, rules
from research.heads.independent import Independent
from research.normalizers.softmax import Softmax
from research.places import Pairs
from research.positions.none import NoPosition
from tests.evaluations.attention.problem import drawn, ours, reference
from tests.tolerance import assert_close

B, T, S, H, K = 2, 4, 6, 2, 4
GIVEN = drawn(T, S)
Q, KEYS, VALUES, BIAS, SEED = GIVEN
ALLOWED = np.random.default_rng(6).random((B, T, S)) < 0.6
ALLOWED[..., 0] = True


def test_it_agrees_with_float64():
  y, gradients = ours("dense", GIVEN, ALLOWED)
  wanted = reference(*GIVEN, ALLOWED)
  assert_close(y, wanted[0], level="core")
  assert_close(gradients, wanted[1], level="core", gradient=True)


def test_groups_of_heads_share_keys():
  given = drawn(T, S, heads=4)
  y, gradients = ours("dense", given, ALLOWED)
  wanted = reference(*given, ALLOWED)
  assert_close(y, wanted[0], level="core")
  assert_close(gradients, wanted[1], level="core", gradient=True)


def test_bfloat16():
  given = tuple(jnp.asarray(a, jnp.bfloat16) for a in GIVEN)
  y, gradients = ours("dense", given, ALLOWED)
  assert y.dtype == jnp.bfloat16
  assert all(leaf.dtype == jnp.bfloat16 for leaf in gradients)
  assert_close(y, reference(*given, ALLOWED)[0], level="core")


def test_a_query_without_keys_gets_zeros():
  nobody = ALLOWED.copy()
  nobody[0, 1] = nobody[1] = False
  y, gradients = ours("dense", GIVEN, nobody)
  assert not np.asarray(y)[0, 1].any() and not np.asarray(y)[1].any()
  assert not np.asarray(gradients[0])[1].any()
  wanted = reference(*GIVEN, nobody)
  assert_close(y, wanted[0], level="core")
  assert_close(gradients, wanted[1], level="core", gradient=True)


def test_a_score_of_minus_infinity_forbids():
  forbidden = np.where(ALLOWED[:, None], BIAS, -np.inf)
  everybody = np.ones_like(ALLOWED)
  found = ours("dense", (Q, KEYS, VALUES, forbidden, SEED), everybody)
  wanted = ours("dense", GIVEN, ALLOWED)
  jax.tree.map(np.testing.assert_array_equal, found, wanted)


@pytest.mark.parametrize("scale", [1e4, -1e4])
def test_large_scores_pick_the_best_key(scale):
  y, gradients = ours("dense", (Q * scale, *GIVEN[1:]), ALLOWED)
  assert all(np.isfinite(leaf).all() for leaf in (y, *gradients))
  scores = np.einsum("bthk,bshk->bhts", np.float64(Q) * scale, KEYS)
  best = np.where(ALLOWED[:, None], scores, -np.inf).argmax(axis=-1)
  chosen = np.eye(S)[best]
  assert_close(y, np.einsum("bhts,bshv->bthv", chosen, VALUES), level="core")


def test_it_agrees_with_jax():
  @jax.jit
  def theirs(q: Any, k: Any, v: Any, bias: Any) -> Any:
    def call(q: Any, k: Any, v: Any, bias: Any) -> Any:
      mask = jnp.asarray(ALLOWED)[:, None]
      return jax.nn.dot_product_attention(q, k, v, bias=bias, mask=mask)

    y, back = jax.vjp(call, q, k, v, bias)
    return y, back(jnp.asarray(SEED))

  y, gradients = ours("dense", GIVEN, ALLOWED)
  wanted = theirs(*GIVEN[:4])
  assert_close(y, wanted[0], level="core")
  assert_close(gradients, wanted[1], level="core", gradient=True)


def test_the_weights_are_given_back():
  q, k, v, *_ = GIVEN
  y, weights = read(Parts())
  assert weights.shape == (B, H, T, S) and weights.dtype == jnp.float32
  wanted, (_, _, slope, _) = reference(q, k, v, 0 * BIAS, SEED, ALLOWED)
  assert_close(y, wanted, level="core")
  assert not np.asarray(weights)[~np.repeat(ALLOWED[:, None], H, 1)].any()
  found = np.einsum("bhts,bthv->bshv", np.float64(weights), SEED)
  assert_close(jnp.asarray(found, jnp.float32), slope, level="core")


def wrong(kind: type, method: str, shape: tuple[int, ...]) -> Any:
  return type("Wrong", (kind,), {method: lambda *_: jnp.zeros(shape)})()


@pytest.mark.parametrize(
  ("name", "part"),
  [
    ("score", lambda q, k: jnp.zeros((B, 1, T, S))),
    ("normalizer", wrong(Softmax, "weigh", (B, 1, T, S))),
    ("joint.before", wrong(Independent, "before", (B, H, T, S, 1))),
    ("joint.after", wrong(Independent, "after", (B, H, S, T))),
    ("position.bias", wrong(NoPosition, "bias", (1, H, T, S))),
  ],
)
def test_a_part_that_gives_another_shape_is_named(name, part, unchecked):
  parts = Parts()._replace(**{name.split(".")[0]: part})
  with pytest.raises(ValueError, match=rf"{name} gave the shape .*; allowed"):
    read(parts)


def read(parts: Parts) -> Any:
  q, k, v, *_ = map(jnp.asarray, GIVEN)
  positions = (jnp.tile(jnp.arange(n), (B, 1)) for n in (T, S))
  pairs = Pairs(*positions, jnp.asarray(ALLOWED)[:, None])
  return dense(q, k, v, pairs, rules(parts, H, H, K))
