"""How the makers of golden vectors work: draw inputs, ask, keep the answers.

Needs torch. Everything is computed in float64 and kept in float32; inputs have
few bits, so that float32 holds them exactly. A file holds:

  source      the modules that were asked, with their versions
  in.NAME     inputs and parameters, in the layout of the source
  out         what the source made of them
  seed        weights of the outputs in the loss, Σ seed · out
  grad.NAME   the slopes of the loss, by the source's own backward pass
  NAME        anything else: masks, positions, other outputs
"""

import pathlib
import re
import types
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch

FOLDER = pathlib.Path(__file__).parent
Vectors = dict[str, Any]

_draw = np.random.default_rng(0)


def uniform(*shape: int) -> torch.Tensor:
  """Numbers between 0 and 1."""
  return torch.tensor(_draw.random(size=shape))


def normal(*shape: int) -> torch.Tensor:
  """Standard normal numbers with a step of 1/64."""
  return torch.tensor(np.round(_draw.normal(size=shape) * 64) / 64)


def like(parameters: Iterable[tuple[str, torch.Tensor]]) -> Vectors:
  """New values for parameters, biases included, by name."""
  return {name: normal(*leaf.shape) / 2 for name, leaf in parameters}


def stacked(parameters: Iterable[tuple[str, torch.Tensor]]) -> Vectors:
  """As `like`, but what all layers have is one array, [layers …].

  The number of the layer is left out of its name: files would otherwise hold
  more names than numbers. What is one at first, the scale of a norm, stays
  around it, or slopes would vanish on their way down.
  """
  found, groups = {}, {}
  for name, leaf in parameters:
    if _without_layer(name) == name:
      found[name] = leaf
    else:
      groups.setdefault(_without_layer(name), []).append(leaf)
  found |= {name: torch.stack(leaves) for name, leaves in groups.items()}
  drawn = like(found.items())
  return {
    name: leaf + bool((found[name] == 1).all()) for name, leaf in drawn.items()
  }


def unstacked(module: torch.nn.Module, given: Vectors) -> Vectors:
  """The parameters of a module by its own names, from those of `stacked`."""
  leaves = {name: iter(leaf) for name, leaf in given.items()}
  return {
    name: given[name] if name in given else next(leaves[_without_layer(name)])
    for name, _ in module.named_parameters()
  }


def _without_layer(name: str) -> str:
  """Equal for the parameters that are stacked."""
  return re.sub(r"\.\d+\.", ".", name, count=1)


def name_of(library: types.ModuleType, path: str) -> str:
  """As it is written into a file: library, version, the thing asked."""
  return f"{library.__name__} {library.__version__} {path}"


def vectors(
  source: str,
  function: Callable[..., torch.Tensor],
  inputs: Vectors,
  counted: torch.Tensor | None = None,
  **others: Any,
) -> Vectors:
  """What a file holds: `function(**inputs)`, and gradients to all inputs.

  Args:
    source: who computes it.
    function: from inputs to one output.
    inputs: by name.
    counted: zero where the output does not count; None: it does everywhere.
    others: kept as they are.
  """
  inputs = {name: leaf.requires_grad_() for name, leaf in inputs.items()}
  out = function(**inputs)
  out = out if counted is None else out * counted
  seed = normal(*out.shape)
  gradients = torch.autograd.grad(out, list(inputs.values()), seed)
  return {
    "source": source,
    "out": out,
    "seed": seed,
    **{f"in.{name}": leaf for name, leaf in inputs.items()},
    **{f"grad.{name}": x for name, x in zip(inputs, gradients, strict=True)},
    **others,
  }


def make(name: str, maker: Callable[[], Vectors]) -> str:
  """Writes the file of a maker, whose random numbers are its own.

  Returns:
    The name of the file, its size and its source.
  """
  global _draw
  _draw = np.random.default_rng(list(name.encode()))
  kinds = {"f": np.float32, "i": np.int32, "b": np.bool_, "U": np.str_}
  arrays = {}
  for key, value in maker().items():
    value = value.detach().numpy() if torch.is_tensor(value) else value
    value = np.asarray(value)
    arrays[key] = value.astype(kinds[value.dtype.kind])
  path = FOLDER / f"{name}.npz"
  np.savez_compressed(path, **arrays)
  return f"{path.name}, {path.stat().st_size} bytes: {arrays['source']}"


def until(lengths: list[int], longest: int) -> torch.Tensor:
  """Bool[b t], true on the tokens of sequences of these lengths."""
  return torch.arange(longest)[None] < torch.tensor(lengths)[:, None]
