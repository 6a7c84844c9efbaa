"""Modifications in the layer: in a stream, in every form, with parameters."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.attention.layer import Attention
from research.heads.differential import Differential
from research.masks import Causal, Full, Mask, Window
from research.normalizers.sink import SoftmaxSink
from research.places import Places, whole
from research.positions.alibi import ALiBi
from research.positions.cope import CoPE
from research.positions.kerple import Kerple
from research.scores.general import General
from tests.small_blocks import blocks_of
from tests.tolerance import assert_close

B, T, D, H = 2, 6, 8, 2
X = jnp.asarray(np.random.default_rng(2).normal(size=(B, T, D)), jnp.float32)
PLACES = Places(
  jnp.asarray([[0, 1, 2, 4, 6, 9], [3, 4, 0, 1, 2, 5]]),
  jnp.asarray([[1] * T, [1, 1, 2, 2, 2, 2]]),
)


@pytest.fixture(autouse=True)
def small_blocks():
  with blocks_of(4):
    yield


class Decay(nn.Module):
  """Each head forgets at a learned speed."""

  heads: int = H

  @nn.compact
  def __call__(self, score: Any, b: Any, h: Any, query: Any, key: Any) -> Any:
    start = nn.initializers.constant(0.3)
    rate = self.param("rate", start, (self.heads,))
    return score - rate[h] * (query - key).astype(jnp.float32)


class Gate(nn.Module):
  """A pair is allowed where a learned number of its distance is positive."""

  @nn.compact
  def __call__(self, b: Any, h: Any, query: Any, key: Any) -> Any:
    number = self.param("number", lambda _: jnp.asarray([1.0, -1.0, 1.0]))
    return number[jnp.abs(query - key) % 3] > 0


def soft(score: Any, b: Any, h: Any, query: Any, key: Any) -> Any:
  far = (query - key).astype(jnp.float32) / (h + 1)
  return 5 * jnp.tanh(score / 5) - far


def even(b: Any, h: Any, query: Any, key: Any) -> Any:
  return (query == key) | ((key + h) % 2 == 0)


def faded(weight: Any, b: Any, h: Any, query: Any, key: Any) -> Any:
  return weight / (1 + (query - key).astype(jnp.float32) ** 2)


MODULES = {"score_mod": Decay(), "mask_mod": Gate()}
FUNCTIONS = {"score_mod": soft, "mask_mod": even, "weight_mod": faded}
FORMS = pytest.mark.parametrize("form", ["dense", "blockwise"])


def built(form: Any, given: Any, mask: Mask) -> tuple[Attention, Any]:
  layer = Attention(heads=H, mask=mask, evaluation=form, **given)
  return layer, layer.init(jax.random.key(0), X, PLACES)


def in_pieces(layer: Attention, variables: Any) -> jax.Array:
  """The outputs of a stream of three tokens, one, and two."""

  def append(cache: Any, start: int, stop: int) -> Any:
    x, places = jax.tree.map(lambda leaf: leaf[:, start:stop], (X, PLACES))
    return layer.apply({**variables, **cache}, x, places, mutable=["cache"])

  shapes = jax.eval_shape(lambda: append({}, 0, T)[1])
  cache = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
  pieces = []
  for start, stop in ((0, 3), (3, 4), (4, 6)):
    y, cache = append(cache, start, stop)
    pieces.append(y)
  return jnp.concatenate(pieces, axis=1)


@pytest.mark.parametrize(
  ("form", "given", "mask"),
  [
    ("dense", {"score_mod": soft, "weight_mod": faded}, Causal()),
    ("dense", {"mask_mod": even}, Causal() & Window(3)),
    ("blockwise", FUNCTIONS, Causal() & Window(3)),
    ("blockwise", MODULES, Causal()),
  ],
  ids=["numbers", "mask_mod", "functions in blocks", "modules in blocks"],
)
def test_a_stream_is_modified_alike(form, given, mask):
  layer, variables = built(form, given, mask)

  @jax.jit
  def run(variables: Any) -> Any:
    plain = Attention(heads=H, mask=mask)
    params = {k: v for k, v in variables["params"].items() if "_mod" not in k}
    return (
      layer.apply(variables, X, PLACES),
      in_pieces(layer, variables),
      plain.apply({"params": params}, X, PLACES),
    )

  y, streamed, plain = run(variables)
  assert_close(streamed, np.asarray(y), level="module")
  assert np.abs(y - plain).max() > 1e-2


def test_a_score_mod_is_a_position():
  """Against the encoding of ALiBi, whose slopes are 2^-4 and 2^-8 here."""

  def alibi(score: Any, b: Any, h: Any, query: Any, key: Any) -> Any:
    slope = jnp.asarray([2.0**-4, 2.0**-8])[h]
    return score - slope * (query - key).astype(jnp.float32)

  ours, variables = built("blockwise", {"score_mod": alibi}, Causal())
  y = jax.jit(ours.apply)(variables, X, PLACES)
  wanted = Attention(heads=H, position=ALiBi()).apply(variables, X, PLACES)
  assert_close(y, np.asarray(wanted), level="module")


@FORMS
def test_parameters_of_a_module_learn(form):
  """As numbers do that a function closes over."""
  layer, variables = built(form, {"score_mod": Decay()}, Causal())
  rest = dict(variables["params"])
  rate = rest.pop("score_mod")["rate"]

  @jax.jit
  def slopes(rate: Any) -> Any:
    def learned(rate: Any) -> Any:
      params = {"params": {**rest, "score_mod": {"rate": rate}}}
      return jnp.sum(layer.apply(params, X, PLACES) ** 2)

    def closed(rate: Any) -> Any:
      def decay(score: Any, b: Any, h: Any, query: Any, key: Any) -> Any:
        return score - rate[h] * (query - key).astype(jnp.float32)

      plain = Attention(heads=H, score_mod=decay)
      return jnp.sum(plain.apply({"params": rest}, X, PLACES) ** 2)

    return jax.grad(learned)(rate), jax.grad(closed)(rate)

  found, wanted = slopes(rate)
  assert np.abs(found).min() > 1e-2
  assert_close(found, np.asarray(wanted), level="module", gradient=True)


def test_modules_have_parameters_by_name():
  given = {"score_mod": Decay(), "mask_mod": Gate(), "weight_mod": Decay()}
  _, variables = built("blockwise", given, Causal())
  shapes = {
    name: jax.tree.map(jnp.shape, part)
    for name, part in variables["params"].items()
    if "_mod" in name
  }
  assert shapes == {
    "score_mod": {"rate": (H,)},
    "mask_mod": {"number": (3,)},
    "weight_mod": {"rate": (H,)},
  }


@pytest.mark.parametrize(
  "given",
  [
    {},
    {"score_mod": Decay(), "weight_mod": Decay()},
    {"score": General(), "normalizer": SoftmaxSink(), "position": Kerple()},
  ],
  ids=["plain", "modules", "parts"],
)
def test_the_first_call_gives_the_output(given):
  layer = Attention(heads=H, evaluation="blockwise", **given)
  dense = layer.copy(evaluation="dense")

  @jax.jit
  def run() -> Any:
    key = jax.random.key(0)
    y, variables = layer.init_with_output(key, X, PLACES)
    return (y, variables), dense.init_with_output(key, X, PLACES)

  (y, variables), wanted = run()
  jax.tree.map(np.testing.assert_array_equal, variables, wanted[1])
  assert_close(y, np.asarray(wanted[0]), level="module")


def test_maps_can_be_had_from_blocks():
  layer, variables = built("blockwise", {"weight_mod": faded}, Causal())
  y, seen = layer.apply(variables, X, PLACES, mutable=["intermediates"])
  (weights,) = seen["intermediates"]["weights"]
  assert weights.shape == (B, H, T, T)
  dense = layer.copy(evaluation="dense")
  _, wanted = dense.apply(variables, X, PLACES, mutable=["intermediates"])
  np.testing.assert_array_equal(weights, wanted["intermediates"]["weights"][0])
  assert_close(layer.apply(variables, X, PLACES), np.asarray(y), level="module")
  # The weights of the first query are those of itself alone.
  np.testing.assert_array_equal(weights[:, :, 0, 0], np.ones((B, H)))
  assert (np.asarray(weights)[0, :, 1:].sum(axis=-1) < 0.999).all()


@pytest.mark.parametrize("name", ["score_mod", "mask_mod", "weight_mod"])
@pytest.mark.parametrize("value", [3, "softcap", None])
def test_what_cannot_be_called_is_refused(name, value, unchecked):
  with pytest.raises(ValueError, match=f"{name} = {value!r}; allowed: a func"):
    layer = Attention(**{name: value})
    jax.eval_shape(layer.init, jax.random.key(0), X, whole(X))


def test_an_unknown_evaluation_is_refused(unchecked):
  message = "evaluation = 'fast'; allowed: 'auto', 'dense', 'blockwise', 'lib"
  with pytest.raises(ValueError, match=message):
    Attention(evaluation="fast")
  with pytest.raises(ValueError, match="places.edges; allowed: 'dense'"):
    edges = jnp.ones((B, T, T), bool)
    layer = Attention(mask=Full(), evaluation="blockwise")
    places = Places(PLACES.positions, PLACES.segments, edges)
    jax.eval_shape(layer.init, jax.random.key(0), X, places)


def test_contextual_positions_and_two_maps_under_a_mask_of_heads():
  layer = Attention(
    heads=H,
    joint=Differential(),
    position=CoPE(limit=4),
    mask_mod=lambda b, h, query, key: (h == 0) | (query - key < 2),
  )
  y, _ = jax.jit(layer.init_with_output)(jax.random.key(0), X, PLACES)
  assert np.isfinite(y).all()
