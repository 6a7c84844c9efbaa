"""The same model and step in PyTorch, as a well-informed user writes it.

Imported only where PyTorch is installed, and only by the bench.
"""

from collections.abc import Callable, Iterator
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from research.bench.lab import training_plan
from research.bench.size import Size
from research.training.step import example_keys

Savings = Literal["none", "logits", "block"]


class Attention(nn.Module):
  """Causal attention through `scaled_dot_product_attention`."""

  def __init__(self, size: Size) -> None:
    super().__init__()
    self.heads = size.heads
    self.query = nn.Linear(size.width, size.width, bias=False)
    self.key_value = nn.Linear(size.width, 2 * size.width, bias=False)
    self.out = nn.Linear(size.width, size.width, bias=False)

  def forward(self, x: torch.Tensor, at: torch.Tensor | None) -> torch.Tensor:
    """Outputs at `at` [b a], or everywhere."""
    asked = x if at is None else _take(x, at)
    q = self._split(self.query(asked))
    k, v = map(self._split, self.key_value(x).chunk(2, dim=-1))
    attend = functional.scaled_dot_product_attention
    if at is None:
      y = attend(q, k, v, is_causal=True)
    else:
      order = torch.arange(x.shape[1])
      y = attend(q, k, v, attn_mask=(order <= at[..., None])[:, None])
    return self.out(y.transpose(1, 2).flatten(2))

  def _split(self, x: torch.Tensor) -> torch.Tensor:
    return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class Block(nn.Module):
  """The pre-norm block."""

  def __init__(self, size: Size) -> None:
    super().__init__()
    hidden = size.expansion * size.width
    self.mixer_norm = nn.LayerNorm(size.width)
    self.mixer = Attention(size)
    self.feed_forward = nn.Sequential(
      nn.LayerNorm(size.width),
      nn.Linear(size.width, hidden),
      nn.GELU(approximate="tanh"),
      nn.Linear(hidden, size.width),
    )

  def forward(self, x: torch.Tensor, at: torch.Tensor | None) -> torch.Tensor:
    """The block's outputs at `at` [b a], or everywhere."""
    y = self.mixer(self.mixer_norm(x), at)
    x = (x if at is None else _take(x, at)) + y
    return x + self.feed_forward(x)


class Model(nn.Module):
  """Embedding, blocks, readout, with the savings asked for."""

  def __init__(self, size: Size, savings: Savings) -> None:
    super().__init__()
    self.savings = savings
    self.embed = nn.Embedding(size.vocabulary, size.width)
    self.position = nn.Parameter(0.02 * torch.randn(size.length, size.width))
    self.blocks = nn.ModuleList(Block(size) for _ in range(size.layers))
    self.norm = nn.LayerNorm(size.width)
    self.readout = nn.Linear(size.width, size.vocabulary)

  def forward(self, tokens: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    """Logits [b a c], or [b t c] without savings."""
    x = self.embed(tokens) + self.position
    for block in self.blocks[:-1]:
      x = block(x, None)
    early = self.savings == "block"
    x = self.blocks[-1](x, at if early else None)
    if self.savings == "logits":
      x = _take(x, at)
    return self.readout(self.norm(x))


def prepare(
  size: Size, savings: Savings, compiled: bool
) -> Callable[[int], int]:
  """Warms up; the function takes steps and tells how many.

  The data is made beforehand, which costs the peer nothing.
  """
  torch.manual_seed(0)
  model = Model(size, savings)
  weights = [p for n, p in model.named_parameters() if p.ndim > 1]
  rest = [p for n, p in model.named_parameters() if p.ndim == 1]
  update = torch.optim.AdamW(
    [
      {"params": weights, "weight_decay": size.weight_decay},
      {"params": rest, "weight_decay": 0.0},
    ],
    lr=size.learning_rate,
    betas=(0.9, 0.98),
    fused=True,
  )
  forward = torch.compile(model) if compiled else model
  batches = _batches(size)

  def steps(number: int) -> int:
    for _ in range(number):
      tokens, at, targets = next(batches)
      logits = forward(tokens, at)
      if savings == "none":
        wanted = torch.full_like(tokens, -100).scatter(1, at, targets)
      else:
        wanted = targets
      loss = functional.cross_entropy(logits.flatten(0, 1), wanted.flatten())
      update.zero_grad(set_to_none=True)
      loss.backward()
      nn.utils.clip_grad_norm_(model.parameters(), size.clip)
      update.step()
    return number

  steps(5)
  return steps


def _batches(size: Size, number: int = 64) -> Iterator[Any]:
  """Batches of the very task, made once and taken in turn."""
  task = training_plan(size).task
  make = jax.jit(task.batch)
  made = []
  for i in range(number):
    index = jnp.arange(size.batch) + i * size.batch
    batch = make(example_keys(jax.random.key(0), index))
    arrays = (batch.inputs, batch.at, batch.targets)
    made.append([torch.from_numpy(np.array(x)).long() for x in arrays])
  while True:
    yield from made


def _take(x: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
  return x.gather(1, at[..., None].expand(-1, -1, x.shape[-1]))
