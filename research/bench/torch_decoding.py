"""The same decoding in PyTorch, with caches set apart beforehand.

Imported only where PyTorch is installed, and only by the bench.
"""

import math
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from research.bench.decoding import (
  HEADS,
  LAYERS,
  SOURCE,
  TOKENS,
  VOCABULARY,
  WIDTH,
)


class Attention(nn.Module):
  """Through `scaled_dot_product_attention`; keys and values are kept."""

  def __init__(self) -> None:
    super().__init__()
    self.query = nn.Linear(WIDTH, WIDTH, bias=False)
    self.key_value = nn.Linear(WIDTH, 2 * WIDTH, bias=False)
    self.out = nn.Linear(WIDTH, WIDTH, bias=False)

  def start(self, batch: int, length: int) -> None:
    """Sets the cache apart, [b h t k]."""
    shape = batch, HEADS, length, WIDTH // HEADS
    self.keys, self.values = torch.zeros(shape), torch.zeros(shape)

  def read(self, x: torch.Tensor, begin: int) -> None:
    """Writes keys and values of `x` [b t d] into the cache."""
    k, v = map(_split, self.key_value(x).chunk(2, dim=-1))
    self.keys[:, :, begin : begin + x.shape[1]] = k
    self.values[:, :, begin : begin + x.shape[1]] = v

  def forward(self, x: torch.Tensor, end: int) -> torch.Tensor:
    """What `x` reads of the first `end` tokens of the cache."""
    y = functional.scaled_dot_product_attention(
      _split(self.query(x)), self.keys[:, :, :end], self.values[:, :, :end]
    )
    return self.out(y.transpose(1, 2).flatten(2))


class Block(nn.Module):
  """The pre-norm block, with cross-attention if it is asked for."""

  def __init__(self, cross: bool) -> None:
    super().__init__()
    self.mixer_norm, self.mixer = nn.LayerNorm(WIDTH), Attention()
    self.cross: Attention | None = None
    if cross:
      self.cross_norm, self.cross = nn.LayerNorm(WIDTH), Attention()
    self.feed_forward = nn.Sequential(
      nn.LayerNorm(WIDTH),
      nn.Linear(WIDTH, 4 * WIDTH),
      nn.GELU(approximate="tanh"),
      nn.Linear(4 * WIDTH, WIDTH),
    )

  def forward(self, x: torch.Tensor, begin: int) -> torch.Tensor:
    """The outputs of new tokens, of which the first stands at `begin`."""
    y = self.mixer_norm(x)
    self.mixer.read(y, begin)
    x = x + self.mixer(y, begin + x.shape[1])
    if self.cross is not None:
      x = x + self.cross(self.cross_norm(x), SOURCE)
    return x + self.feed_forward(x)


class Half(nn.Module):
  """Embedding and blocks: an encoder, or a decoder without its readout."""

  def __init__(self, length: int, cross: bool, scale: float) -> None:
    super().__init__()
    self.embed = nn.Embedding(VOCABULARY, WIDTH)
    self.position = nn.Parameter(0.02 * torch.randn(length, WIDTH))
    self.blocks = [Block(cross) for _ in range(LAYERS)]
    self.registered = nn.ModuleList(self.blocks)
    self.norm = nn.LayerNorm(WIDTH)
    self.scale = scale

  def start(self, batch: int, length: int) -> None:
    """Sets all caches apart."""
    for block in self.blocks:
      block.mixer.start(batch, length)
      if block.cross is not None:
        block.cross.start(batch, SOURCE)

  def read(self, memory: torch.Tensor) -> None:
    """Keeps keys and values of what the encoder made."""
    for block in self.blocks:
      if block.cross is not None:
        block.cross.read(memory, 0)

  def forward(self, tokens: torch.Tensor, begin: int) -> torch.Tensor:
    """Outputs of new tokens [b t]."""
    x = self.embed(tokens)
    if self.scale != 1:
      x = x * self.scale
    x = x + self.position[begin : begin + tokens.shape[1]]
    for block in self.blocks:
      x = block(x, begin)
    return self.norm(x)


def halves(kind: str) -> tuple[Half | None, Half, nn.Linear]:
  """The encoder, which "decoder" has none of, the decoder and its readout."""
  pair = kind == "pair"
  scale = math.sqrt(WIDTH) if pair else 1.0
  decoder, readout = Half(TOKENS, pair, scale), nn.Linear(WIDTH, VOCABULARY)
  return Half(SOURCE, False, scale) if pair else None, decoder, readout


def prepare(kind: str, batch: int, threads: int | None) -> Callable[[int], int]:
  """Warms up; the function writes tokens and tells how many.

  Args:
    kind: "decoder" or "pair".
    batch: the rows written side by side.
    threads: how many work on it; None for one a core. Products this small
      can lose more by waiting for each other than they gain.
  """
  if threads is not None:
    torch.set_num_threads(threads)
  torch.manual_seed(0)
  encoder, decoder, readout = halves(kind)
  source = torch.randint(VOCABULARY, (batch, SOURCE))
  decoder.start(batch, TOKENS)
  if encoder is not None:
    encoder.start(batch, SOURCE)

  @torch.inference_mode()
  def line() -> torch.Tensor:
    if encoder is not None:
      decoder.read(encoder(source, 0))
    token = torch.zeros(batch, 1, dtype=torch.long)
    written = torch.empty(batch, TOKENS, dtype=torch.long)
    for place in range(TOKENS):
      token = readout(decoder(token, place)).argmax(dim=-1)
      written[:, place] = token[:, 0]
    return written

  def tokens(number: int) -> int:
    lines = max(number // (batch * TOKENS), 1)
    for _ in range(lines):
      line()
    return lines * batch * TOKENS

  tokens(1)
  return tokens


def _split(x: torch.Tensor) -> torch.Tensor:
  return x.unflatten(-1, (HEADS, -1)).transpose(1, 2)
