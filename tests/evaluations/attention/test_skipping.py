"""Blocks that the data leaves empty are not computed, forward or backward.

Seen by values that are NaN: a weight of zero does not hide them.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.evaluations.attention.attend import attention
from research.masks import Causal, Full
from tests.evaluations.attention.problem import drawn
from tests.small_blocks import blocks_of

T, KNOWN = 12, 8
Q, KEYS, VALUES, *_ = map(jnp.asarray, drawn(T, T))
HIDDEN = VALUES.at[:, KNOWN:].set(jnp.nan)
IDS = jnp.array([[1] * 4 + [2] * 4 + [3] * 4, [1] * 8 + [2] * 4])


@pytest.fixture(autouse=True)
def small_blocks():
  with blocks_of(4):
    yield


def read(q: Any, k: Any, v: Any, ids: Any, **more: Any) -> Any:
  return attention(q, k, v, segments=ids, evaluation="blockwise", **more)


def by_function(q: Any, k: Any, v: Any, ids: Any, **more: Any) -> Any:
  def same(batch: Any, head: Any, query: Any, key: Any) -> Any:
    return ids[batch, query] == ids[batch, key]

  return attention(q, k, v, mask_mod=same, evaluation="blockwise", **more)


def looked(call: Any, ids: Any, **more: Any) -> Any:
  """Outputs and gradients of the known tokens."""

  @jax.jit
  def run(q: Any, k: Any, ids: Any) -> Any:
    y, back = jax.vjp(lambda q, k: call(q, k, HIDDEN, ids, **more), q, k)
    return y, *back(jnp.ones_like(y))

  return [np.asarray(x)[:, :KNOWN] for x in run(Q, KEYS, ids)]


@pytest.mark.parametrize("call", [read, by_function])
@pytest.mark.parametrize(
  "more",
  [{"mask": Full()}, {"mask": Causal()}, {"weight_mod": lambda w, *_: 2 * w}],
  ids=["full", "causal", "two passes"],
)
def test_other_documents_are_not_looked_at(call, more):
  assert all(np.isfinite(x).all() for x in looked(call, IDS, **more))


@pytest.mark.parametrize("call", [read, by_function])
@pytest.mark.parametrize("twice", [False, True])
def test_members_of_a_vmap_skip_what_none_of_them_sees(call, twice):
  def each(q: Any, k: Any, v: Any, ids: Any) -> Any:
    def one(*given: Any) -> Any:
      return call(*(x[None] for x in given))[0]

    if not twice:
      return jax.vmap(one)(q, k, v, ids)
    outer = (x[:, None] for x in (q, k, v, ids))
    return jax.vmap(jax.vmap(one))(*outer)[:, 0]

  assert all(np.isfinite(x).all() for x in looked(each, IDS))
  # A branch that depends on the member would be computed, and then dropped.
  assert " cond[" in str(jax.make_jaxpr(each)(Q, KEYS, VALUES, IDS))


def test_what_somebody_sees_is_looked_at():
  assert np.isnan(looked(read, jnp.ones((2, T), int))[0]).all()


def test_what_is_not_a_number_stays_in_its_document():
  """In a block of two documents, too: it is not in the other one's slopes."""
  segments = jnp.array([[1] * 5 + [2] * 7] * 2)
  q = Q.at[:, -1].set(jnp.nan)

  def spoilt(form: Any) -> Any:
    def loss(v: Any) -> Any:
      given = {"mask": Causal(), "segments": segments, "evaluation": form}
      return jnp.sum(attention(q, KEYS, v, **given)[:, :-1])

    return np.isnan(jax.jit(jax.grad(loss))(VALUES))

  found = spoilt("blockwise")
  np.testing.assert_array_equal(found, spoilt("dense"))
  assert not found[:, :5].any() and found[:, 5:].all()
