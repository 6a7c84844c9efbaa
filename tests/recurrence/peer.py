"""A recurrence beside the same one of flax, in float64."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from research.mixer import Mixer
from research.places import Places
from tests.formula import exact, off_start
from tests.tolerance import assert_close

D = 4
LENGTHS = (6, 3)
VALID = np.arange(6)[None, :] < np.array(LENGTHS)[:, None]
X = np.random.default_rng(3).normal(size=(2, 6, D)).astype(np.float32)
X = jnp.asarray(np.where(VALID[..., None], X, 0), jnp.float32)
PLACES = Places(jnp.cumsum(VALID, axis=1), jnp.asarray(VALID, jnp.int32))


def parameters(layer: Mixer) -> Any:
  """Parameters of the layer of which none is zero."""
  start = layer.init(jax.random.key(0), X, PLACES)["params"]
  return off_start(start, 0.1)


def assert_agrees(
  layer: Any,
  cell: Callable[..., nn.RNNCellBase],
  copied: Callable[[Any], Any],
) -> None:
  """Fails unless values and gradients are those of flax, at right padding.

  Args:
    layer: of this project.
    cell: the class of flax.
    copied: the cell's parameters from the layer's.
  """
  ours = parameters(layer)
  seed = np.where(
    VALID[..., None], np.cos(np.arange(X.size)).reshape(X.shape), 0
  )

  def gradients(run: Any, parameters: Any, x: Any) -> Any:
    def loss(parameters: Any, x: Any) -> Any:
      y = run(parameters, x)
      return jnp.sum(y * jnp.asarray(seed, y.dtype)), y

    gradient = jax.grad(loss, argnums=(0, 1), has_aux=True)
    return jax.device_get(jax.jit(gradient)(parameters, x))

  def run_layer(parameters: Any, x: Any) -> Any:
    return layer.apply({"params": parameters}, x, PLACES)

  def run_flax(parameters: Any, x: Any) -> Any:
    units = parameters["recurrent"]["kernel"].shape[0]
    network = nn.RNN(
      cell(units, param_dtype=x.dtype),
      reverse=layer.reverse,
      keep_order=True,
    )
    variables = {"params": {"cell": copied(parameters)}}
    y = network.apply(variables, x, seq_lengths=jnp.asarray(LENGTHS))
    out = parameters.get("out", {"kernel": jnp.eye(D, dtype=x.dtype)})
    return y @ out["kernel"]

  slopes, y = gradients(run_layer, ours, X)
  with jax.enable_x64(True):
    wanted_slopes, wanted = gradients(run_flax, *exact((ours, X)))
  assert wanted.dtype == np.float64
  assert not y[~VALID].any()
  assert_close(y[VALID], wanted[VALID], level="module")
  assert_close(slopes, wanted_slopes, level="module", gradient=True)
