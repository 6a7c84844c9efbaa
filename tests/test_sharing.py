"""One module in two places of a record counts as two."""

import dataclasses
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.modifications import Decay
from research.attention.layer import Attention
from research.generation.generate import generate
from research.generation.greedy import Greedy
from research.mixer import Mixer
from research.models.sequence import SequenceModel
from research.places import whole
from research.positions.t5 import T5Buckets
from research.recurrence.bidirectional import Bidirectional
from research.recurrence.gru import GRU
from research.recurrence.stacked import Stacked

TOKENS = jnp.array([[0, 3, 1], [4, 4, 2]])


def stacked() -> tuple[Mixer, Mixer]:
  return Stacked((GRU(),) * 2), Stacked((GRU(), GRU()))


def within() -> tuple[Mixer, Mixer]:
  """The mixers are two, and have one table."""
  one, other, table = T5Buckets(), T5Buckets(), T5Buckets()
  both = Stacked((Attention(position=table), Attention(position=table)))
  return both, Stacked((Attention(position=one), Attention(position=other)))


def modified() -> tuple[Mixer, Mixer]:
  rate = Decay()
  return (
    Attention(heads=4, score_mod=rate, weight_mod=rate),
    Attention(heads=4, score_mod=Decay(), weight_mod=Decay()),
  )


def model(mixer: Mixer, **fields: Any) -> SequenceModel:
  return SequenceModel(mixer, width=8, vocabulary=5, classes=5, **fields)


def started(mixer: Mixer, **fields: Any) -> Any:
  made = model(mixer, **fields)
  return made.init(jax.random.key(0), TOKENS, whole(TOKENS))


class Twice(nn.Module):
  """Two functions of a score, one after the other."""

  one: Any
  two: Any

  def __call__(self, score: Any, *where: Any) -> Any:
    return self.two(self.one(score, *where), *where)


def inside() -> tuple[Mixer, Mixer]:
  rate = Decay()
  return (
    Attention(heads=4, score_mod=Twice(rate, rate)),
    Attention(heads=4, score_mod=Twice(Decay(), Decay())),
  )


@pytest.mark.parametrize("pair", [stacked, within, modified, inside])
@pytest.mark.parametrize("fields", [{}, {"depth": "scanned", "layers": 3}])
def test_each_place_has_its_own_parameters(pair, fields):
  one, two = pair()
  assert one == two
  shapes = (jax.tree.map(jnp.shape, started(x, **fields)) for x in (one, two))
  assert next(shapes) == next(shapes)


def test_each_place_has_its_own_cache():
  made = model(stacked()[0], layers=1)
  variables = jax.tree.map(lambda x: 3 * x, started(stacked()[1], layers=1))
  given = {"length": 4, "prompt": TOKENS}
  found, wanted = (
    generate(made, variables, how=Greedy(cached), **given)
    for cached in (True, False)
  )
  np.testing.assert_array_equal(found.tokens, wanted.tokens)
  np.testing.assert_allclose(found.scores, wanted.scores, rtol=1e-5)


class Parent(nn.Module):
  """Ties what two mixers read with, as Linen does."""

  @nn.compact
  def __call__(self, *given: Any) -> Any:
    inner = GRU(name="inner")
    return Stacked((inner, inner))(*given)


def test_a_module_with_a_parent_is_shared_as_linen_says():
  x = jnp.ones((1, 3, 8))
  assert {*Parent().init(jax.random.key(0), x, whole(x))["params"]} == {"inner"}


class Pair(NamedTuple):
  one: Mixer
  two: Mixer


class Holder(GRU):
  """Has fields that cannot be made again from their own fields."""

  pair: Any = None
  mask: Any = None


@dataclasses.dataclass(frozen=True)
class Days:
  days: dataclasses.InitVar[int]

  def __post_init__(self, days: int) -> None:
    pass


def test_what_holds_no_module_is_not_made_again():
  one, mask = GRU(), Days(1)
  holder = Holder(pair=Pair(one, one), mask=mask)
  assert isinstance(holder.pair, Pair)
  assert holder.pair.one is not holder.pair.two
  assert holder.pair.one == holder.pair.two == one
  both = Stacked((holder, holder)).mixers
  assert both[1].mask is mask and isinstance(both[1].pair, Pair)


def test_what_stands_in_one_place_stays_as_it_is():
  forward, backward = GRU(), GRU(reverse=True)
  both = Bidirectional(forward, backward)
  assert (both.forward, both.backward) == (forward, backward)
  mixers = Stacked((forward, backward)).mixers
  assert mixers[0] is forward and mixers[1] is backward
