"""The models that write in these tests, and a plain loop that has no cache."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from research.attention.layer import Attention
from research.convolution.short import ShortConvolution
from research.linear.elu import LinearAttention
from research.masks import Causal, Full, Window
from research.models.encoder_decoder import Decoder, Encoder, EncoderDecoder
from research.models.feed_forward import FeedForward
from research.models.hybrid import Hybrid
from research.models.sequence import SequenceModel
from research.places import Places, whole
from research.positions.rotary import Rotary
from research.recurrence.gru import GRU

B, T, N, C = 3, 4, 5, 7
generator = np.random.default_rng(5)
PROMPT = jnp.asarray(generator.integers(0, C, (B, T)), jnp.int32)
LENGTHS = jnp.array([4, 2, 3], jnp.int32)
SOURCE = (
  jnp.asarray(generator.integers(0, C, (B, 4)), jnp.int32),
  Places(
    jnp.array([[0, 1, 2, 3], [0, 1, 0, 0], [0, 1, 2, 0]]),
    jnp.array([[1, 1, 1, 1], [1, 1, 0, 0], [1, 1, 1, 0]]),
  ),
)
SMALL = FeedForward(expansion=1)

small = functools.partial(
  SequenceModel, feed_forward=SMALL, width=8, vocabulary=C, classes=C
)
attentive = functools.partial(
  EncoderDecoder,
  encoder=Encoder(
    Attention(heads=2, mask=Full()), layers=1, feed_forward=SMALL
  ),
  decoder=Decoder(Attention(heads=2), layers=1, feed_forward=SMALL),
  width=8,
  vocabulary=C,
  classes=C,
)

MODELS: dict[str, Any] = {
  "attention": small(Attention(heads=2, position=Rotary())),
  "recurrence": small(GRU(hidden=8), layers=1),
  "linear attention": small(LinearAttention(heads=2), layers=1),
  "window": small(
    Hybrid((Attention(mask=Causal() & Window(2)), ShortConvolution()))
  ),
  "encoder-decoder": attentive(),
}


def given(model: Any, prompt: Any = None) -> dict[str, Any]:
  """What `generate` is given besides the model."""
  if isinstance(model, EncoderDecoder):
    return {"source": SOURCE}
  return {"prompt": PROMPT if prompt is None else prompt, "lengths": LENGTHS}


@functools.cache
def variables_of(model: Any) -> Any:
  """Random parameters, large enough that rows differ in what they write."""
  source = {"source": SOURCE} if isinstance(model, EncoderDecoder) else {}
  made = jax.jit(
    lambda: model.init(jax.random.key(1), PROMPT, whole(PROMPT), **source)
  )()
  return jax.tree.map(lambda leaf: 2 * leaf, made)


def plain_loop(model: Any) -> tuple[np.ndarray, np.ndarray]:
  """Greedy tokens [b n] and their log probabilities, row by row.

  Every token comes from the whole sequence before it.
  """
  decodes = isinstance(model, EncoderDecoder)
  variables = variables_of(model)

  @jax.jit
  def logits(tokens: Any, places: Places, source: Any) -> Any:
    more = {"source": source} if decodes else {}
    return model.apply(variables, tokens, places, **more)[0]

  tokens, gained = np.zeros((B, N), int), np.zeros((B, N))
  for row in range(B):
    size = 1 if decodes else int(LENGTHS[row])
    line = [0] if decodes else [*np.asarray(PROMPT[row, :size])]
    source = jax.tree.map(lambda leaf, row=row: leaf[row : row + 1], SOURCE)
    for number in range(N):
      padded = np.zeros((1, T + N), np.int32)
      padded[0, : len(line)] = line
      segments = (np.arange(T + N) < len(line)).astype(np.int32)
      places = Places(np.arange(T + N)[None], segments[None])
      last = np.asarray(logits(padded, places, source), float)[len(line) - 1]
      token = int(last.argmax())
      tokens[row, number] = token
      gained[row, number] = last[token] - np.log(np.exp(last).sum())
      line.append(token)
  return tokens, gained


def ended(
  tokens: np.ndarray, gained: np.ndarray, end: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Tokens, lengths and scores of lines that stop at their first END."""
  tokens, gained = tokens.copy(), gained.copy()
  is_end = tokens == end
  lengths = np.where(is_end.any(1), is_end.argmax(1), N)
  behind = np.arange(N)[None] > lengths[:, None]
  tokens[behind], gained[behind] = end, 0.0
  return tokens, lengths, gained.sum(1)
