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
from research.masks import Blocks, Causal, Full, Window
from research.normalizers.softmax import Softmax
from research.scores.plain import DotProduct
from tests.evaluations.attention.problem import drawn
from tests.tolerance import assert_close

B, T, H, WIDTH = 2, 6, 4, 8
Q, KEYS, VALUES, _, SEED = map(
  jnp.asarray, drawn(T, T, heads=H, key_width=WIDTH)
)
SCALE = WIDTH**-0.5
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


@pytest.fixture
def calls(monkeypatch):
  """What `jax.nn` is asked for; XLA computes it, as cuDNN needs a GPU."""
  asked = []
  own = jax.nn.dot_product_attention

  def call(*given: Any, implementation: Any = None, **more: Any) -> Any:
    asked.append({"implementation": implementation, **more})
    return own(*given, **more)

  monkeypatch.setattr(jax.nn, "dot_product_attention", call)
  return asked


def test_the_library_is_what_is_called(calls):
  for form in ("library", "auto"):
    jax.eval_shape(
      lambda form=form: attention(Q, KEYS, VALUES, evaluation=form)
    )
  assert calls == [{"implementation": None, "scale": SCALE}]


@pytest.mark.parametrize("parts", [Parts(), Parts(mask_mod=sparse)])
def test_cudnn_is_asked_for_every_member_at_once(calls, parts):
  """An array is one of all heads, or its rule for vmap refuses it."""
  found = computed("cudnn", parts)
  assert calls[0].pop("mask").shape == (B, H, T, T)
  assert calls == [{"implementation": "cudnn", "scale": SCALE}]
  jax.tree.map(np.testing.assert_array_equal, found, computed("library", parts))


MASKS = [
  (Full(), {}),
  (Causal(), {"is_causal": True}),
  (
    Causal() & Window(3),
    {"is_causal": True, "local_window_size": (2, 0)},
  ),
  (
    Window(1) & Causal(),
    {"is_causal": True, "local_window_size": (0, 0)},
  ),
  (Window(3), None),
  (Causal() & Blocks(2), None),
  (~Causal(), None),
]


@pytest.mark.parametrize("form", ["library", "cudnn"])
@pytest.mark.parametrize(("mask", "words"), MASKS)
def test_a_mask_that_libraries_know_is_no_array(calls, form, mask, words):
  def slopes(q: Any, form: Any) -> Any:
    y, back = jax.vjp(
      lambda q: attention(q, KEYS, VALUES, mask=mask, evaluation=form), q
    )
    return y, back(SEED[:, : q.shape[1]])

  for q in (Q, Q[:, :4]):
    calls.clear()
    found, wanted = (slopes(q, one) for one in (form, "dense"))
    wanted = jax.tree.map(np.asarray, wanted)
    assert_close(found[0], wanted[0], level="core")
    assert_close(found[1], wanted[1], level="core", gradient=True)
    known = words is not None and (q is Q or mask == Full())
    assert ("mask" in calls[0]) != known
    if known:
      del calls[0]["implementation"], calls[0]["scale"]
      assert calls == [words]


@pytest.mark.parametrize("own", ["indices", "segments", "mask_mod", "edges"])
def test_what_only_the_data_know_is_an_array(calls, own):
  side = Side(jnp.tile(jnp.arange(T), (B, 1)))
  given = {}
  if own == "indices":
    side = side._replace(indices=jnp.arange(T)[None])
  if own == "segments":
    side = side._replace(segments=jnp.asarray(SEGMENTS))
  if own == "edges":
    given = {"edges": jnp.ones((B, T, T), bool)}
  parts = Parts(mask_mod=sparse) if own == "mask_mod" else Parts()
  attend(
    Q, KEYS, VALUES, side, side, Causal(), parts, evaluation="library", **given
  )
  assert "mask" in calls[0] and "is_causal" not in calls[0]


def test_where_cudnn_cannot_compute():
  """There is no GPU, or the numbers are of single precision."""
  with pytest.raises(ValueError, match="'cudnn' cannot compute.*; allowed: "):
    computed("cudnn", Parts())


@pytest.mark.skipif(jax.default_backend() != "gpu", reason="needs a GPU")
@pytest.mark.parametrize("parts", [Parts(), Parts(mask_mod=sparse)])
def test_cudnn_agrees_on_a_gpu(parts):
  y, slopes = computed("cudnn", parts, jnp.bfloat16)
  wanted = jax.tree.map(np.asarray, computed("dense", parts))
  assert_close(y, wanted[0], level="core")
  assert_close(slopes, wanted[1], level="core", gradient=True)


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
