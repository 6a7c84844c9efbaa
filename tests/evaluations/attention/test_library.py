"""The library's attention agrees with ours, where it knows the parts."""

import sys
import types
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.evaluations.attention.attend import attend, attention
from research.evaluations.attention.base import Side
from research.evaluations.attention.rules import Parts
from research.masks import Causal
from research.normalizers.softmax import Softmax
from research.scores.plain import DotProduct
from tests.evaluations.attention.problem import drawn
from tests.tolerance import assert_close

B, T, H = 2, 6, 4
Q, KEYS, VALUES, _, SEED = map(jnp.asarray, drawn(T, T, heads=H))
SEGMENTS = np.array([[1, 1, 1, 2, 2, 2], [1, 1, 2, 2, 0, 0]])


def sparse(batch: Any, head: Any, query: Any, key: Any) -> Any:
  """Some heads of some queries look at nobody."""
  return (query != 4) | (head > 1)


def computed(form: Any, parts: Parts, dtype: Any = jnp.float32) -> Any:
  """Outputs and gradients; two groups of heads, segments and padding."""
  positions = jnp.tile(jnp.arange(T), (B, 1))
  side = Side(positions, segments=jnp.asarray(SEGMENTS))

  @jax.jit
  def run(*given: Any) -> Any:
    def call(q: Any, k: Any, v: Any) -> Any:
      return attend(q, k, v, side, side, Causal(), parts, evaluation=form)[0]

    y, back = jax.vjp(call, *given)
    return y, back(SEED.astype(y.dtype))

  return run(*(x.astype(dtype) for x in (Q, KEYS, VALUES)))


@pytest.mark.parametrize(
  "parts",
  [
    Parts(),
    Parts(score=DotProduct(), normalizer=Softmax(temperature=2.5)),
    Parts(mask_mod=sparse),
  ],
  ids=["plain", "temperature", "mask_mod"],
)
def test_the_library_agrees(parts):
  y, slopes = computed("library", parts)
  wanted = jax.tree.map(np.asarray, computed("dense", parts))
  assert_close(y, wanted[0], level="core")
  assert_close(slopes, wanted[1], level="core", gradient=True)
  assert not np.asarray(y)[SEGMENTS == 0].any()
  if parts.mask_mod is sparse:
    assert not np.asarray(y)[:, 4, :2].any() and np.asarray(y)[0, 4, 2:].all()


def test_the_library_in_bfloat16():
  y, _ = computed("library", Parts(), jnp.bfloat16)
  assert y.dtype == jnp.bfloat16
  assert_close(y, np.asarray(computed("dense", Parts())[0]), level="core")


def test_the_library_is_what_is_called(monkeypatch):
  calls = []
  own = jax.nn.dot_product_attention
  monkeypatch.setattr(
    jax.nn,
    "dot_product_attention",
    lambda *given, **more: calls.append(more) or own(*given, **more),
  )
  for form in ("library", "auto"):
    jax.eval_shape(
      lambda form=form: attention(Q, KEYS, VALUES, evaluation=form)
    )
  assert [call["scale"] for call in calls] == [0.5]


def test_tokamax_is_called_as_the_library_is(monkeypatch):
  calls = []

  def dot_product_attention(q: Any, k: Any, v: Any, **given: Any) -> Any:
    calls.append({*given})
    return jax.nn.dot_product_attention(q, k, v, **given)

  package = types.ModuleType("tokamax")
  package.dot_product_attention = dot_product_attention
  monkeypatch.setitem(sys.modules, "tokamax", package)
  parts = Parts(normalizer=Softmax(temperature=2.5))
  found, wanted = (computed(form, parts) for form in ("tokamax", "library"))
  jax.tree.map(np.testing.assert_array_equal, found, wanted)
  assert calls == [{"mask", "scale"}]


def test_tokamax_may_be_missing(monkeypatch):
  monkeypatch.setitem(sys.modules, "tokamax", None)
  with pytest.raises(ValueError, match="'tokamax' cannot import.*; allowed: "):
    computed("tokamax", Parts())
