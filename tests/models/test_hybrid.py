"""Patterns of mixers over depth."""

import jax
import jax.numpy as jnp
import pytest

from research.attention.layer import Attention
from research.convolution.shifted import Shifted
from research.convolution.short import ShortConvolution
from research.models.block import Block
from research.models.feed_forward import NoFeedForward
from research.models.hybrid import Hybrid
from research.models.sequence import SequenceModel
from research.places import whole
from research.record import from_json, to_json
from research.recurrence.gru import GRU
from tests.tolerance import assert_close

MIXER = Hybrid((Attention(heads=2), GRU(hidden=4)))
MODEL = SequenceModel(
  MIXER,
  layers=3,
  width=8,
  feed_forward=NoFeedForward(),
  norm="post",
  vocabulary=5,
  classes=5,
)
TOKENS = jnp.array([[0, 3, 1, 4, 2, 2]])


def test_blocks_take_the_mixers_in_turn():
  places = whole(TOKENS)

  @jax.jit
  def both():
    variables = MODEL.init(jax.random.key(0), TOKENS, places)
    parameters = variables["params"]
    x = parameters["embed"]["embedding"][TOKENS]
    for layer, mixer in enumerate((*MIXER.mixers, MIXER.mixers[0])):
      block = Block(mixer, NoFeedForward(), "post")
      x = block.apply({"params": parameters[f"block_{layer}"]}, x, places)
    read = parameters["readout"]
    x = x @ read["kernel"] + read["bias"][None, None]
    return MODEL.apply(variables, TOKENS, places), x

  assert_close(*both(), level="model")


def test_the_state_is_that_of_the_blocks():
  mixers = (*MIXER.mixers, MIXER.mixers[0])
  wanted = sum(mixer.state_size(8, 6) for mixer in mixers)
  assert MODEL.state_size(6) == wanted
  leaves = jax.tree.leaves(MODEL.start(1, 6))
  held = [leaf.size for leaf in leaves if leaf.dtype == jnp.float32]
  assert sum(held) == wanted


def test_patterns_nest():
  inner = Hybrid((GRU(), ShortConvolution()))
  mixer = Hybrid((Attention(), inner))
  kinds = [type(mixer.at_depth(i)).__name__ for i in range(6)]
  assert kinds == [
    "Attention",
    "GRU",
    "Attention",
    "ShortConvolution",
    "Attention",
    "GRU",
  ]


def test_it_is_a_record():
  assert from_json(to_json(MODEL)) == MODEL


def test_it_is_causal_if_all_are():
  assert MIXER.causal
  assert not Hybrid((GRU(), GRU(reverse=True))).causal


def test_it_stands_over_depth_alone():
  with pytest.raises(ValueError, match=r"mixers = \(\); allowed: one mixer"):
    Hybrid(())
  nested = SequenceModel(Shifted(MIXER), width=8, vocabulary=5, classes=5)
  with pytest.raises(ValueError, match=r"Hybrid\(Attention, GRU\) .* allowed"):
    jax.eval_shape(nested.init, jax.random.key(0), TOKENS, whole(TOKENS))
  with pytest.raises(ValueError, match="pattern over depth; allowed"):
    MIXER.state_size(8, 6)
