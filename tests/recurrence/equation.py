"""A recurrence beside its paper's equation, token by token in float64."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from research.mixer import Mixer
from tests.formula import exact
from tests.recurrence.peer import LENGTHS, PLACES, VALID, X, parameters
from tests.tolerance import assert_close

Equation = Callable[[Any, np.ndarray], np.ndarray]
"""The outputs [t d] of parameters and one sequence [t d]."""

SEED = np.cos(np.arange(X.size)).reshape(X.shape)
_STEP = 1e-5


def assert_follows(
  equation: Equation, layers: Sequence[Mixer], *, reverse: bool = False
) -> None:
  """Fails unless all layers have its values, and its gradients.

  Gradients of the equation are central differences, exact to 1e-9.

  Args:
    equation: in NumPy.
    layers: with the same parameters.
    reverse: whether the layers read from right to left.
  """
  ours = parameters(layers[0])

  def whole(given: Any, x: np.ndarray) -> np.ndarray:
    y = np.zeros(x.shape)
    for row, length in enumerate(LENGTHS):
      order = np.arange(length)[:: -1 if reverse else 1]
      y[row, order] = equation(given, x[row, order])
    return y

  given = exact((ours, X))
  wanted, wanted_slopes = whole(*given), _slopes(whole, given)

  @jax.jit
  def run(ours: Any, x: Any) -> Any:
    seed = jnp.asarray(np.where(VALID[..., None], SEED, 0), jnp.float32)
    results = []
    for layer in layers:

      def call(ours: Any, x: Any, layer: Any = layer) -> Any:
        return layer.apply({"params": ours}, x, PLACES)

      y, back = jax.vjp(call, ours, x)
      results.append((y, back(seed)))
    return results

  for y, slopes in run(ours, X):
    assert_close(y, wanted, level="module")
    assert_close(slopes, wanted_slopes, level="module", gradient=True)


def _slopes(whole: Callable, given: tuple[Any, np.ndarray]) -> Any:
  leaves, tree = jax.tree.flatten(given)
  gradients = [np.zeros(leaf.shape) for leaf in leaves]
  for leaf, gradient in zip(leaves, gradients, strict=True):
    for index in np.ndindex(leaf.shape):
      kept, sides = leaf[index], []
      for step in (_STEP, -_STEP):
        leaf[index] = kept + step
        sides.append(np.sum(SEED * whole(*jax.tree.unflatten(tree, leaves))))
      leaf[index] = kept
      gradient[index] = (sides[0] - sides[1]) / (2 * _STEP)
  gradients[-1] *= VALID[..., None]
  return jax.tree.unflatten(tree, gradients)


def both(pair: np.ndarray) -> np.ndarray:
  """The complex numbers of a parameter [... 2]."""
  return pair[..., 0] + 1j * pair[..., 1]


def sigmoid(x: np.ndarray) -> np.ndarray:
  """1 / (1 + exp(−x))."""
  return 1 / (1 + np.exp(-x))


def started(layer: Mixer, width: int = 64) -> Any:
  """The parameters of a layer at the start, at a width."""
  x = jnp.zeros((1, 2, width))
  ones = jnp.ones((1, 2), jnp.int32)
  init = jax.jit(lambda key: layer.init(key, x, type(PLACES)(ones, ones)))
  return init(jax.random.key(2))["params"]


def inside(layer: Mixer, given: Any, x: jax.Array) -> dict[str, jax.Array]:
  """What the layers within a layer give out, by their names."""
  _, kept = layer.apply(
    {"params": given},
    x,
    PLACES,
    capture_intermediates=True,
    mutable=["intermediates"],
  )
  named = kept["intermediates"]
  del named["__call__"]
  return {name: found["__call__"][0] for name, found in named.items()}
