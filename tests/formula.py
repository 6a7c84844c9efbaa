"""A mixer beside its paper's formula, written in NumPy in float64.

Every step of a formula is analytic, so that `tests/complex_step.py` has exact
gradients of it.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from research.mixer import Mixer
from research.places import Places, whole
from tests.complex_step import slopes
from tests.tolerance import assert_close


def assert_is(
  mixer: Mixer,
  formula: Callable[[Any, Any], Any],
  x: Any,
  places: Places | None = None,
  moved: float = 1.0,
) -> None:
  """Fails unless values and gradients of a mixer are those of its formula.

  Args:
    mixer: starts at the width of `x`.
    formula: of the mixer's parameters and the inputs [b t d].
    x: float32 inputs [b t d].
    places: of the inputs; whole rows if None.
    moved: how far the parameters are from their start, see `off_start`.
  """
  x = jnp.asarray(x)
  places = whole(x) if places is None else places
  start = mixer.init(jax.random.key(0), x, places)["params"]
  start = off_start(start, moved)
  seed = np.cos(np.arange(x.size)).reshape(x.shape)

  @jax.jit
  def both(parameters: Any, x: Any) -> Any:
    def apply(parameters: Any, x: Any) -> Any:
      return mixer.apply({"params": parameters}, x, places)

    y, back = jax.vjp(apply, parameters, x)
    return y, back(jnp.asarray(seed, y.dtype))

  y, found = both(start, x)
  given = exact((start, x))
  assert_close(y, formula(*given), level="module")
  wanted = slopes(formula, given, seed)
  assert_close(found, wanted, level="module", gradient=True)


def off_start(parameters: Any, moved: float) -> Any:
  """Parameters none of which is 0 or 1, as many start: plus moved · cos(n)."""
  return jax.tree.map(
    lambda leaf: (
      leaf + moved * jnp.cos(jnp.arange(leaf.size)).reshape(leaf.shape)
    ),
    parameters,
  )


def exact(tree: Any) -> Any:
  """The same arrays in float64."""
  return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), tree)


def convolved(x: Any, filters: Any, ahead: int = 0) -> Any:
  """y_t = Σ_i w_i ⊙ x_{t + ahead − i}, for x [b t d] and filters [taps d]."""
  y = np.zeros_like(x)
  for t, tap in np.ndindex(x.shape[1], len(filters)):
    if 0 <= t + ahead - tap < x.shape[1]:
      y[:, t] += filters[tap] * x[:, t + ahead - tap]
  return y
