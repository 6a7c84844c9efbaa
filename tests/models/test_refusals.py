"""Everything that a model or a block refuses, by name."""

from typing import Any

import jax
import jax.numpy as jnp
import pytest

from research.attention.layer import Attention
from research.models.block import Block
from research.models.encoder_decoder import Decoder, EncoderDecoder
from research.models.feed_forward import FeedForward
from research.models.norms import LayerNorm
from research.models.sequence import SequenceModel
from research.places import Places, whole
from research.positions.rotary import Rotary

TOKENS = jnp.zeros((3, 6), jnp.int32)
VECTORS = jnp.zeros((3, 6, 2))


def small(**fields: Any) -> SequenceModel:
  return SequenceModel(**{"width": 8, "vocabulary": 5, "classes": 5, **fields})


def built(
  inputs: Any = TOKENS,
  places: Places | None = None,
  at: Any = None,
  **fields: Any,
) -> Any:
  places = whole(inputs) if places is None else places
  model = small(**fields)
  return jax.eval_shape(
    lambda: model.init(jax.random.key(0), inputs, places, at=at)
  )


@pytest.mark.parametrize(
  ("make", "message"),
  [
    (lambda: small(layers=0), "layers = 0; allowed: "),
    (lambda: small(width=0), "width = 0; allowed: "),
    (lambda: small(norm="no"), "norm = 'no'; allowed: 'pre', 'post'"),
    (lambda: small(embedding="hot"), "embedding = 'hot'; allowed: 'learned'"),
    (lambda: small(readout="both"), "readout = 'both'; allowed: 'separate'"),
    (lambda: small(pooling="max"), "pooling = 'max'; allowed: 'none', 'mean'"),
    (lambda: small(precision="half"), "precision = 'half'; allowed: 'float32'"),
    (lambda: small(dropout=1.0), "dropout = 1.0; allowed: 0 to"),
    (lambda: small(dropout="a"), "dropout = 'a'; allowed: a number, 0 to"),
    (lambda: small(vocabulary=-1), "vocabulary = -1; allowed: "),
    (lambda: small(classes=-1), "classes = -1; allowed: "),
    (lambda: small(mixer=Attention), "mixer = <class .*; allowed: a Mixer of"),
    (lambda: small(feed_forward=None), "feed_forward = None; allowed: a Feed"),
    (
      lambda: small(normalization=LayerNorm),
      "normalization = <class .*; allow",
    ),
    (lambda: small(residual="no"), "residual = 'no'; allowed: True or False"),
    (lambda: small(remat=1), "remat = 1; allowed: True or False"),
    (lambda: small(position=Rotary()), "position = Rotary; allowed: an InputP"),
    (
      lambda: EncoderDecoder(encoder=Decoder()),
      "encoder = Decoder; allowed: an Encoder of research.models.encoder",
    ),
    (lambda: EncoderDecoder(front=None), "front = None; allowed: a NoFront of"),
    (lambda: Attention(heads=2.0), "heads = 2.0; allowed: an integer, 1 or"),
    (lambda: Attention(heads=2, key_heads=2.0), "key_heads = 2.0 with heads"),
    (lambda: Block(Attention(), norm="no"), "norm = 'no'; allowed: 'pre'"),
    (lambda: Block(Attention(), dropout=1.0), "dropout = 1.0; allowed: 0 to"),
    (lambda: FeedForward(expansion=0), "expansion = 0; allowed: 1 or more"),
    (lambda: FeedForward(activation="x"), "activation = 'x'; allowed: "),
    (lambda: built(classes=0), "classes = 0; allowed: 1 or more"),
    (lambda: built(VECTORS), "vocabulary = 5 with inputs of float32; allowed"),
    (lambda: built(vocabulary=0), "vocabulary = 0 with inputs of int32; allow"),
    (
      lambda: built(embedding="one_hot", vocabulary=9),
      "'one_hot' with vocabulary 9 does not fit width 8; allowed: ",
    ),
    (
      lambda: built(readout="tied", classes=6),
      "readout = 'tied' with vocabulary 5 and classes 6; allowed: ",
    ),
    (
      lambda: built(readout="tied", embedding="one_hot"),
      "readout = 'tied' .*; allowed: a learned embedding",
    ),
    (
      lambda: built(VECTORS, vocabulary=0, readout="tied"),
      "readout = 'tied' with vocabulary 0 .*; allowed: ",
    ),
    (
      lambda: built(places=whole(TOKENS[:, :-1])),
      r"places.positions has shape \(3, 5\); allowed: \(b, t\) = \(3, 6\)",
    ),
    (
      lambda: built(pooling="mean", at=jnp.zeros((3, 1), jnp.int32)),
      "pooling = 'mean' with `at`; allowed: at = None",
    ),
  ],
)
def test_refused(unchecked, make, message):
  with pytest.raises(ValueError, match=message):
    make()


def test_fields_that_a_subclass_adds_may_have_types_of_their_own():
  """As those of a notebook's functions, which nobody else can look up."""

  class Own(Attention):
    more: "Nowhere | None" = None  # noqa: F821

  assert Own(heads=2).more is None
  with pytest.raises(ValueError, match="mask = None; allowed: a Mask of"):
    Own(mask=None)
