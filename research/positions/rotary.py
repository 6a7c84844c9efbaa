"""Rotary positions (Su 2021): queries and keys turned by their positions.

Formula: pair i of a head turns by position · base^(−2i/k), so that q·k
depends on the difference of positions alone. Cost: O(t k) per head.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from research.positions.base import ScorePosition
from research.shapes import KeyPositions, Keys, Positions, Queries


class Rotary(ScorePosition):
  """Turns halves of each head against each other.

  Attributes:
    base: the slowest pair turns once in about 2π · `base` positions.
  """

  base: float = 10_000.0

  def __post_init__(self) -> None:
    if not self.base > 0:
      raise ValueError(f"base = {self.base}; allowed: above 0")
    super().__post_init__()

  def rotate(
    self,
    q: Queries,
    k: Keys,
    positions_q: Positions,
    positions_k: KeyPositions,
  ) -> tuple[Queries, Keys]:
    return self._turn(q, positions_q), self._turn(k, positions_k)

  def check(self, key_width: int) -> None:
    if key_width % 2:
      raise ValueError(
        f"key width = {key_width} cannot be rotated; allowed: even widths"
      )

  def _turn(
    self, x: Float[Array, "b t h k"], positions: Positions
  ) -> Float[Array, "b t h k"]:
    if positions.ndim != 2:
      raise ValueError(
        f"positions have shape {positions.shape}; allowed: (b, t), one axis"
      )
    half = x.shape[-1] // 2
    rate = self.base ** (-jnp.arange(half, dtype=jnp.float32) / half)
    angle = positions[:, :, None, None] * rate[None, None, None, :]
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    left, right = jnp.split(x.astype(jnp.float32), 2, axis=-1)
    turned = jnp.concatenate(
      [left * cos - right * sin, right * cos + left * sin], axis=-1
    )
    return turned.astype(x.dtype)
