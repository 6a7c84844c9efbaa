"""Modifications that give NaN are found when a layer is built."""

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from research.attention.layer import Attention
from research.evaluations.attention.modifications import everybody, kept
from research.evaluations.attention.probe import probe
from research.masks import Causal, Full
from research.places import Places, whole
from tests.tolerance import assert_close

X = jnp.ones((1, 3, 4))


def behind(score: Any, b: Any, h: Any, query: Any, key: Any) -> Any:
  """A number for keys up to the query."""
  return score - jnp.log((query - key + 1).astype(jnp.float32))


def before(b: Any, h: Any, query: Any, key: Any) -> Any:
  return key <= query


class Faulty(nn.Module):
  """A module whose parameter makes it NaN, unless it starts well."""

  start: float = -1.0

  @nn.compact
  def __call__(self, score: Any, b: Any, h: Any, query: Any, key: Any) -> Any:
    start = nn.initializers.constant(self.start)
    rate = self.param("rate", start, (4,))
    return score + jnp.sqrt(rate[h])


SHAPE = (1, 2, 16, 16)


def tried(
  function: Any,
  mask: Any = Full(),  # noqa: B008
  mask_mod: Any = everybody,
  shape: Any = SHAPE,
) -> None:
  probe("score_mod", function, mask, mask_mod, shape, 1)


def test_not_a_number_is_found():
  message = (
    "score_mod = root gives NaN of -4.0 at batch 0, head 0, query 0, key 1; "
    "allowed: numbers, or −∞"
  )
  with pytest.raises(ValueError, match=message):
    tried(root)
  tried(root, Causal())


def root(score: Any, b: Any, h: Any, query: Any, key: Any) -> Any:
  apart = jnp.maximum(query - key, -1).astype(jnp.float32)
  return score - jax.lax.stop_gradient(jnp.sqrt(apart))


def test_infinity_is_found():
  with pytest.raises(ValueError, match="behind gives ∞ of -4.0 at batch 0"):
    tried(behind)
  with pytest.raises(ValueError, match="gives ∞ of 0.0 .*, query 3, key 3; "):
    tried(lambda s, b, h, q, k: s + jnp.where((q == 3) & (k == 3), 1 / s, 0))


def test_both_ends_of_the_sequence_are_tried():
  table = jnp.zeros(40)

  def looked_up(score: Any, b: Any, h: Any, query: Any, key: Any) -> Any:
    return score + jnp.take(table, query - key)

  for length in (12, 40):  # a table may be as short as the sequence
    tried(looked_up, Causal(), shape=(1, 2, length, length))
  with pytest.raises(ValueError, match="NaN of -4.0 .*, query 56, key 0; "):
    tried(looked_up, Causal(), shape=(1, 2, 64, 64))
  with pytest.raises(ValueError, match="NaN of -4.0 .*, query 0, key 52; "):
    tried(lambda s, b, h, q, k: s + jnp.sqrt(51.0 + q - k), shape=(1, 1, 3, 54))


def test_forbidden_pairs_far_apart_have_gradients_too():
  rate = jnp.ones(())

  def fading(weight: Any, b: Any, h: Any, query: Any, key: Any) -> Any:
    return weight * jnp.exp(-rate * (query - key))

  given = fading, Causal(), everybody
  probe("weight_mod", *given, (1, 1, 64, 64), 1)
  with pytest.raises(ValueError, match="fading has NaN in a gradient"):
    probe("weight_mod", *given, (1, 1, 128, 128), 1)


def test_all_examples_are_tried():
  wrong = jnp.array([0.0, jnp.nan])
  with pytest.raises(ValueError, match="at batch 1, head 0, query 0, key 0"):
    tried(lambda s, b, h, q, k: s + wrong[b], shape=(2, 1, 4, 4))


def test_whoever_is_forbidden_may_have_any_score():
  tried(behind, Causal())
  tried(behind, Full(), before)


def test_minus_infinity_may_forbid_a_key():
  def nobody_before(score: Any, b: Any, h: Any, query: Any, key: Any) -> Any:
    return score + jnp.where(key < query, -jnp.inf, 0.0)

  tried(nobody_before)


class LogDecay(nn.Module):
  """A decay that grows with the logarithm of the distance, or of 1 at least."""

  least: float = 0.0

  @nn.compact
  def __call__(self, score: Any, b: Any, h: Any, query: Any, key: Any) -> Any:
    rate = self.param("rate", nn.initializers.ones, (2,))[h]
    apart = jnp.maximum((query - key + 1).astype(jnp.float32), self.least)
    return score - rate * jnp.log(apart)


def test_a_gradient_that_is_not_a_number_is_found():
  with pytest.raises(ValueError, match="LogDecay has NaN in a gradient at -4"):
    tried(LogDecay(least=-100.0), Causal())
  tried(LogDecay(least=1.0), Causal())
  slope = jnp.ones(2)

  def captured(score: Any, b: Any, h: Any, query: Any, key: Any) -> Any:
    return score - slope[h] * jnp.sqrt((query - key).astype(jnp.float32))

  with pytest.raises(ValueError, match="captured has NaN in a gradient"):
    tried(captured, Causal())


def test_one_head_of_two_is_enough():
  def uneven(score: Any, b: Any, head: Any, query: Any, key: Any) -> Any:
    return jnp.where((head == 1) & (query > 4), jnp.nan, score)

  with pytest.raises(ValueError, match="head 1, query 5, key 0"):
    tried(uneven)


def test_weights_are_tried_from_zero_to_one():
  def entropy(weight: Any, b: Any, h: Any, query: Any, key: Any) -> Any:
    return -weight * jnp.log(weight)

  with pytest.raises(ValueError, match=r"weight_mod = entropy .* of 0.0 at"):
    probe("weight_mod", entropy, Full(), everybody, SHAPE, 1)
  probe("weight_mod", lambda w, *_: jnp.sqrt(w), Full(), everybody, SHAPE, 1)


def test_scores_of_both_signs_are_tried():
  for sign in (-1, 1):
    with pytest.raises(ValueError, match=f"of {-4.0 * sign} at"):
      tried(lambda s, *_, sign=sign: jnp.sqrt(sign * s))


def test_modules_are_tried_with_the_parameters_they_start_with():
  with pytest.raises(ValueError, match="score_mod = Faulty gives NaN"):
    tried(Faulty())
  tried(Faulty(start=1.0))


@dataclasses.dataclass
class Record:
  """A function with fields, which has no hash."""

  rate: float

  def __call__(self, score: Any, *_: Any) -> Any:
    return score * self.rate


class Dropped(nn.Module):
  """Draws random numbers."""

  @nn.compact
  def __call__(self, weight: Any, *_: Any) -> Any:
    return nn.Dropout(0.5, deterministic=False)(weight)


class Fixed(nn.Module):
  """Has a table that is no parameter."""

  @nn.compact
  def __call__(self, weight: Any, b: Any, h: Any, query: Any, key: Any) -> Any:
    table = self.variable("constants", "table", jnp.arange, 1.0, 5.0)
    return weight * table.value[h]


def test_modules_that_draw_are_refused():
  with pytest.raises(ValueError, match="weight_mod = Dropped draws random"):
    probe("weight_mod", Dropped(), Full(), everybody, SHAPE, 1)


def test_an_axis_of_the_caller_is_not_known():
  def by_member(score: Any, *_: Any) -> Any:
    return score * (1 + jax.lax.axis_index("member"))

  layer = Attention(score_mod=by_member)
  keys = jax.random.split(jax.random.key(0), 2)
  jax.vmap(lambda key: layer.init(key, X, whole(X)), axis_name="member")(keys)


@pytest.mark.parametrize("form", ["dense", "blockwise"])
def test_modules_may_have_constants(form):
  layer = Attention(weight_mod=Fixed(), evaluation=form)
  variables = layer.init(jax.random.key(0), X, whole(X))
  plain = Attention(evaluation=form, weight_mod=lambda w, b, h, *_: w * (h + 1))
  expected = plain.apply({"params": variables["params"]}, X, whole(X))
  assert_close(layer.apply(variables, X, whole(X)), expected, level="core")


def test_any_callable_is_tried():
  tried(Record(2.0))
  with pytest.raises(ValueError, match="score_mod = Record gives NaN of -4.0"):
    tried(Record(float("nan")))


def test_what_changes_nothing_is_not_tried():
  tried(kept)


def test_positions_of_a_grid_are_vectors():
  def taxicab(score: Any, b: Any, h: Any, query: Any, key: Any) -> Any:
    return score / jnp.sum(query - key).astype(jnp.float32)

  with pytest.raises(
    ValueError, match="NaN of 0.0 at batch 0, head 0, query 0"
  ):
    probe("score_mod", taxicab, Full(), everybody, (1, 1, 256, 256), 2)


@pytest.mark.parametrize("function", [behind, Faulty()], ids=["", "module"])
@pytest.mark.parametrize("form", ["dense", "blockwise"])
@pytest.mark.parametrize("way", ["plain", "jit", "eval_shape"])
def test_a_layer_is_tried_when_it_is_built(function, form, way):
  layer = Attention(mask=Full(), score_mod=function, evaluation=form)
  ways = {"plain": lambda f: f(), "jit": lambda f: jax.jit(f)()}
  run = ways.get(way, jax.eval_shape)
  title = getattr(function, "__name__", "Faulty")
  with pytest.raises(ValueError, match=f"score_mod = {title} gives "):
    run(lambda: layer.init(jax.random.key(0), X, whole(X)))


def test_a_layer_is_tried_with_its_masks():
  def run(**given: Any) -> None:
    layer = Attention(score_mod=behind, **given)
    jax.eval_shape(lambda: layer.init(jax.random.key(0), X, whole(X)))

  run()
  run(mask=Full(), mask_mod=before)
  with pytest.raises(ValueError, match="score_mod = behind gives ∞"):
    run(mask=Full())


def test_a_layer_on_a_grid_is_tried():
  def apart(weight: Any, b: Any, h: Any, query: Any, key: Any) -> Any:
    assert query.shape == (2,)
    return weight * jnp.nan

  grid = Places(jnp.zeros((1, 3, 2), int), jnp.ones((1, 3), int))
  layer = Attention(weight_mod=apart)
  with pytest.raises(ValueError, match="weight_mod = apart gives NaN of 0.0"):
    jax.eval_shape(lambda: layer.init(jax.random.key(0), X, grid))


def test_a_function_is_tried_with_float64_where_it_is_enabled():
  with jax.enable_x64(True):
    table = jnp.arange(9.0)

    def learned(score: Any, b: Any, h: Any, query: Any, key: Any) -> Any:
      more = table.at[0].set(jnp.float64(1.0))
      return score + more[key].astype(jnp.float32)

    layer = Attention(mask=Full(), score_mod=learned)
    x = X.astype(jnp.float32)
    y, _ = layer.init_with_output(jax.random.key(0), x, whole(x))
  assert jnp.isfinite(y).all()
