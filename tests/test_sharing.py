"""One module in two places of a record counts as two."""

from typing import Any

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


@pytest.mark.parametrize("pair", [stacked, within, modified])
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


def test_what_stands_in_one_place_stays_as_it_is():
  forward, backward = GRU(), GRU(reverse=True)
  both = Bidirectional(forward, backward)
  assert (both.forward, both.backward) == (forward, backward)
  mixers = Stacked((forward, backward)).mixers
  assert mixers[0] is forward and mixers[1] is backward
