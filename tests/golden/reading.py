"""Reading the golden vectors and comparing with them; needs NumPy alone."""

import functools
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from research.places import Places, whole
from tests.tolerance import Level, assert_close

FOLDER = pathlib.Path(__file__).parent
Inputs = Mapping[str, jax.Array]
"""What the source was given, by its own names and in its own layout."""


@functools.cache
def golden(name: str) -> dict[str, np.ndarray]:
  """The arrays of a file, as `making.py` lists them."""
  with np.load(FOLDER / f"{name}.npz", allow_pickle=False) as file:
    return dict(file)


def _part(name: str, prefix: str) -> dict[str, np.ndarray]:
  """The arrays whose names begin with `prefix`, without it."""
  return {
    key.removeprefix(prefix): value
    for key, value in golden(name).items()
    if key.startswith(prefix)
  }


def ours(
  name: str, function: Callable[[Inputs], jax.Array]
) -> tuple[jax.Array, dict[str, jax.Array]]:
  """The output for the inputs of a file, and its gradients to all of them.

  What brings the inputs into our layout belongs to `function`: the gradients
  then are in the layout of the source as well.
  """

  @jax.jit
  def run(inputs: Any, seed: Any) -> Any:
    out, back = jax.vjp(function, inputs)
    return out, back(seed)[0]

  inputs = jax.tree.map(jnp.asarray, _part(name, "in."))
  return run(inputs, jnp.asarray(golden(name)["seed"]))


def check(
  name: str,
  function: Callable[[Inputs], jax.Array],
  level: Level = "module",
) -> None:
  """Fails unless outputs and gradients are those of the source."""
  out, gradients = ours(name, function)
  assert_close(out, golden(name)["out"], level=level)
  wanted = _part(name, "grad.")
  assert_close(gradients, wanted, level=level, gradient=True)


def linear(weight: jax.Array, bias: jax.Array | None = None) -> dict[str, Any]:
  """The parameters of a dense layer: torch keeps its matrix transposed."""
  return {"kernel": weight.T} | ({} if bias is None else {"bias": bias})


def layer(inputs: Inputs, prefix: str, number: int) -> Inputs:
  """The parameters of one layer of those that `making.stacked` stacked."""
  return {
    key.removeprefix(prefix): leaf[number]
    for key, leaf in inputs.items()
    if key.startswith(prefix)
  }


def dense(inputs: Inputs, name: str) -> dict[str, Any]:
  """The parameters of a dense layer of torch, by its name."""
  return linear(inputs[f"{name}.weight"], inputs.get(f"{name}.bias"))


def norm(inputs: Inputs, name: str) -> dict[str, Any]:
  """The parameters of a norm, with a bias or without, by its name."""
  bias = inputs.get(f"{name}.bias")
  scale = {"scale": inputs[f"{name}.weight"]}
  return scale if bias is None else scale | {"bias": bias}


def ragged(valid: np.ndarray) -> Places:
  """Places of rows whose padding stands behind."""
  segments = jnp.asarray(valid, jnp.int32)
  return Places(whole(segments).positions, segments)
