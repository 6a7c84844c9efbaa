"""A training step of `torch.nn.Transformer` with the same sizes.

Imported only where PyTorch is installed, and only by the bench.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from research.bench.transformer import (
  BATCH,
  BETAS,
  CLIP,
  DECAY,
  HEADS,
  LAYERS,
  LENGTH,
  RATE,
  SYMBOLS,
  WIDTH,
  step_plan,
)
from research.training.step import example_keys


class Model(nn.Module):
  """Embeddings and a readout around `nn.Transformer`."""

  def __init__(self) -> None:
    super().__init__()
    self.source = nn.Embedding(SYMBOLS - 2, WIDTH)
    self.target = nn.Embedding(SYMBOLS, WIDTH)
    self.position = _sinusoids()
    self.between = nn.Transformer(
      WIDTH,
      HEADS,
      LAYERS,
      LAYERS,
      4 * WIDTH,
      dropout=0.0,
      batch_first=True,
      norm_first=True,
    )
    self.readout = nn.Linear(WIDTH, SYMBOLS)
    self.mask = nn.Transformer.generate_square_subsequent_mask(LENGTH)

  def forward(self, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Logits [b t c]."""
    x, y = (
      table(tokens) * math.sqrt(WIDTH) + self.position[: tokens.shape[1]]
      for table, tokens in ((self.source, source), (self.target, target))
    )
    return self.readout(
      self.between(x, y, tgt_mask=self.mask, tgt_is_causal=True)
    )


def prepare() -> Callable[[int], int]:
  """Warms up; the function takes steps and tells how many.

  The data is made beforehand, which costs the peer nothing.
  """
  torch.manual_seed(0)
  model = Model().train()
  weights = [p for p in model.parameters() if p.ndim > 1]
  rest = [p for p in model.parameters() if p.ndim == 1]
  update = torch.optim.AdamW(
    [
      {"params": weights, "weight_decay": DECAY},
      {"params": rest, "weight_decay": 0.0},
    ],
    lr=RATE,
    betas=BETAS,
    fused=True,
  )
  batches = _batches()
  taken = 0

  def steps(number: int) -> int:
    nonlocal taken
    for _ in range(number):
      source, inputs, targets = batches[taken % len(batches)]
      logits = model(source, inputs)
      loss = functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
      update.zero_grad(set_to_none=True)
      loss.backward()
      nn.utils.clip_grad_norm_(model.parameters(), CLIP)
      update.step()
      taken += 1
    return number

  steps(3)
  return steps


def _batches(number: int = 16) -> list[list[torch.Tensor]]:
  """Batches of the very task, made once and taken in turn."""
  make = jax.jit(step_plan().task.batch)
  made = []
  for i in range(number):
    index = jnp.arange(BATCH) + i * BATCH
    batch = make(example_keys(jax.random.key(0), index))
    arrays = batch.source[0], batch.inputs, batch.targets
    made.append([torch.from_numpy(np.array(x)).long() for x in arrays])
  return made


def _sinusoids() -> torch.Tensor:
  """Sines and cosines of falling frequency, [t d] (Vaswani 2017)."""
  rates = torch.exp(torch.arange(0, WIDTH, 2) * (-math.log(1e4) / WIDTH))
  angles = torch.arange(LENGTH)[:, None] * rates
  return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)
