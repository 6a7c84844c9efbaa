"""KERPLE: learned biases from conditionally positive definite kernels.

Formula: score − r1 · ln(1 + r2 d) ("log", the paper's recommendation) or
score − r1 · d^r2 ("power"; ALiBi is r2 = 1), d = |p_q − p_k|, with r1 > 0 and
r2 > 0, in "power" r2 ≤ 2, learned per head (Chi 2022). Cost: O(t s) per head,
2 h parameters. The paper is causal; later keys fade as earlier ones do.
"""

from collections.abc import Callable
from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from research.places import Pairs
from research.positions.base import ScorePosition, differences
from research.shapes import Keys, Queries

_LEAST = 0.01
"""The least r1 and r2: at zero a head would forget positions for good."""


class Kerple(ScorePosition):
  """Far keys score lower, on a curve that each head learns.

  r1 = 0.01 + softplus(·), and so is r2 in "log"; in "power" it is
  0.01 + 1.99 · sigmoid(·): the constraints hold whatever is learned. Both
  start uniform over heads, as in the authors' code: r1 in (0, 2) and r2 in
  (0, 1) for "log", r1 in (0, 1) and r2 in (0, 2) for "power".

  Attributes:
    kind: the kernel.
  """

  kind: Literal["log", "power"] = "log"

  def __post_init__(self) -> None:
    if self.kind not in ("log", "power"):
      raise ValueError(f"kind = {self.kind!r}; allowed: 'log', 'power'")
    super().__post_init__()

  @nn.compact
  def bias(self, q: Queries, k: Keys, pairs: Pairs) -> Float[Array, "b h t s"]:
    distance = jnp.abs(differences(pairs))
    distance = distance[:, None].astype(jnp.float32)
    log, heads = self.kind == "log", q.shape[2]
    first = self.param("r1", _start(2.0 if log else 1.0, _inverse), (heads,))
    r1 = _LEAST + jax.nn.softplus(first)[None, :, None, None]
    second = _start(1.0, _inverse) if log else _start(2.0, _logit)
    r2 = self.param("r2", second, (heads,))[None, :, None, None]
    if log:
      return -r1 * jnp.log1p((_LEAST + jax.nn.softplus(r2)) * distance)
    r2 = _LEAST + (2 - _LEAST) * jax.nn.sigmoid(r2)
    # 0^r2 is 0, and its slope too; the logarithm of 0 must not be taken.
    power = jnp.exp(r2 * jnp.log(jnp.maximum(distance, 1.0)))
    return -r1 * jnp.where(distance > 0, power, 0.0)


def _start(
  high: float, inverse: Callable[[jax.Array], jax.Array]
) -> Callable[..., jax.Array]:
  """What becomes uniform in (0, `high`), its ends left out."""

  def start(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    ends = 0.02 * high, 0.98 * high
    return inverse(jax.random.uniform(key, shape, jnp.float32, *ends))

  return start


def _inverse(rate: jax.Array) -> jax.Array:
  """What `_LEAST` + softplus makes `rate` of."""
  return jnp.log(jnp.expm1(rate - _LEAST))


def _logit(rate: jax.Array) -> jax.Array:
  """What `_LEAST` + (2 − `_LEAST`) · sigmoid makes `rate` of."""
  share = (rate - _LEAST) / (2 - _LEAST)
  return jnp.log(share) - jnp.log1p(-share)
