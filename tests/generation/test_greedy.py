"""Greedy: with a cache, without one, and by a plain loop in Python."""

import jax
import pytest

from research.attention.layer import Attention
from research.generation.beam import Beam
from research.generation.generate import generate
from research.generation.greedy import Greedy
from research.generation.sampling import Sampling
from research.masks import Full
from research.models.encoder_decoder import Decoder
from research.recurrence.bidirectional import Bidirectional
from research.recurrence.gru import GRU
from tests.generation.subjects import (
  MODELS,
  SMALL,
  N,
  attentive,
  ended,
  given,
  plain_loop,
  small,
  variables_of,
)
from tests.tolerance import assert_close

WAYS = {"cached": Greedy(), "anew": Greedy(cached=False)}


def agree(model, ways):
  tokens, gained = plain_loop(model)
  end = int(tokens[0, 2])
  wanted = ended(tokens, gained, end)
  assert wanted[1].min() < N  # some row stops
  for name, how in ways.items():
    found = generate(
      model, variables_of(model), how=how, length=N, end=end, **given(model)
    )
    assert (found.tokens == wanted[0]).all(), name
    assert (found.lengths == wanted[1]).all(), name
    assert_close(found.scores, wanted[2], level="model")


@pytest.mark.parametrize("name", MODELS)
def test_all_ways_agree(name):
  # A beam of width 1 is greedy as well.
  beam = {"beam": Beam(1)} if name in ("attention", "encoder-decoder") else {}
  agree(MODELS[name], {**WAYS, **beam})


@pytest.mark.parametrize(
  "model",
  [
    small(Bidirectional(GRU(hidden=4), GRU(hidden=4, reverse=True)), layers=1),
    attentive(
      decoder=Decoder(Attention(mask=Full()), layers=1, feed_forward=SMALL)
    ),
  ],
  ids=["sequence model", "encoder-decoder"],
)
def test_a_model_that_looks_ahead_writes_without_a_cache(model):
  agree(model, {"anew": Greedy(cached=False)})
  key = jax.random.key(0)
  for how in (Greedy(), Sampling(), Beam()):
    with pytest.raises(ValueError, match="is not causal, and .* with a cache"):
      generate(
        model,
        variables_of(model),
        how=how,
        length=N,
        key=key if how.random else None,
        **given(model),
      )
