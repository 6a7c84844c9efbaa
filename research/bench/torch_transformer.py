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

from research.bench.device import accelerated
from research.bench.transformer import (
  BETAS,
  CLIP,
  DECAY,
  RATE,
  Size,
  step_plan,
)
from research.training.step import example_keys


class Model(nn.Module):
  """Embeddings and a readout around `nn.Transformer`."""

  mask: torch.Tensor
  position: torch.Tensor

  def __init__(self, size: Size) -> None:
    super().__init__()
    self.scale = math.sqrt(size.width)
    self.source = nn.Embedding(size.symbols - 2, size.width)
    self.target = nn.Embedding(size.symbols, size.width)
    self.between = nn.Transformer(
      size.width,
      size.heads,
      size.layers,
      size.layers,
      4 * size.width,
      dropout=0.0,
      batch_first=True,
      norm_first=True,
    )
    self.readout = nn.Linear(size.width, size.symbols)
    mask = nn.Transformer.generate_square_subsequent_mask(size.length)
    self.register_buffer("mask", mask)
    self.register_buffer("position", _sinusoids(size.length, size.width))

  def forward(self, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Logits [b t c]."""
    x, y = (
      table(tokens) * self.scale + self.position[: tokens.shape[1]]
      for table, tokens in ((self.source, source), (self.target, target))
    )
    return self.readout(
      self.between(x, y, tgt_mask=self.mask, tgt_is_causal=True)
    )


def prepare(size: Size) -> Callable[[int], int]:
  """Warms up; the function takes steps and tells how many.

  The data is made beforehand, which costs the peer nothing. On a GPU if our
  programs run there.
  """
  torch.manual_seed(0)
  device = torch.device("cuda" if accelerated() else "cpu")
  model = Model(size).to(device).train()
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
  batches = _batches(size, device)
  mixed = torch.autocast(
    device.type, torch.bfloat16, enabled=size.precision == "bfloat16"
  )
  taken = 0

  def steps(number: int) -> int:
    nonlocal taken
    for _ in range(number):
      source, inputs, targets = batches[taken % len(batches)]
      with mixed:
        logits = model(source, inputs).flatten(0, 1)
        loss = functional.cross_entropy(logits, targets.flatten())
      update.zero_grad(set_to_none=True)
      loss.backward()
      nn.utils.clip_grad_norm_(model.parameters(), CLIP)
      update.step()
      taken += 1
    loss.item()  # waits for the device
    return number

  steps(3)
  return steps


def _batches(
  size: Size, device: torch.device, number: int = 16
) -> list[list[torch.Tensor]]:
  """Batches of the very task, made once and taken in turn."""
  make = jax.jit(step_plan(size).task.batch)
  made = []
  for i in range(number):
    index = jnp.arange(size.batch) + i * size.batch
    batch = make(example_keys(jax.random.key(0), index))
    arrays = batch.source[0], batch.inputs, batch.targets
    made.append(
      [torch.from_numpy(np.array(x)).long().to(device) for x in arrays]
    )
  return made


def _sinusoids(length: int, width: int) -> torch.Tensor:
  """Sines and cosines of falling frequency, [t d] (Vaswani 2017)."""
  rates = torch.exp(torch.arange(0, width, 2) * (-math.log(1e4) / width))
  angles = torch.arange(length)[:, None] * rates
  return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)
