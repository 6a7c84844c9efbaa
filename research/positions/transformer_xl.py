"""Relative positions of Transformer-XL (Dai 2019): sinusoids, two biases.

Formula: (u · k_j + (q_i + v) · W r_{i−j}) / √k is added to q_i · k_j / √k,
with r_p = [sin(p ω), cos(p ω)], ω_n = base^(−2n/width).
Cost: O(t s (k + width)) per head; r_{i−j} is never made for all pairs.
"""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from research.places import Pairs
from research.positions.base import (
  ScorePosition,
  check_axes,
  check_positive,
  rates,
)
from research.shapes import Keys, Positions, Queries


class TransformerXL(ScorePosition):
  """Content and position of a key, each asked for by the query and at large.

  W (q_i + v) is turned by the position of the query and meets the sinusoid of
  the key's: sin(a − b) = sin a cos b − cos a sin b. Parameters: h k for each
  of u and v, and width h k for W.

  Attributes:
    base: the longest wave is about 2π · `base` positions long.
    width: of the sinusoids; the paper takes the width of the model.
  """

  base: float = 10_000.0
  width: int = 64

  def __post_init__(self) -> None:
    check_positive(self, "base")
    if self.width < 2 or self.width % 2:
      raise ValueError(f"width = {self.width}; allowed: even, 2 or more")
    super().__post_init__()

  @nn.compact
  def bias(self, q: Queries, k: Keys, pairs: Pairs) -> Float[Array, "b h t s"]:
    check_axes(pairs.positions_q)
    check_axes(pairs.positions_k)
    size, small = q.shape[2:], nn.initializers.normal(0.02)
    for_keys = self.param("content", small, size)
    for_places = self.param("place", small, size)
    project = self.param(
      "project",
      nn.initializers.lecun_normal(in_axis=0, out_axis=(1, 2)),
      (self.width, *size),
    )
    asked = q.astype(jnp.float32) + for_places[None, None]
    sines, cosines = jnp.split(
      jnp.einsum("bthk,whk->bthw", asked, project), 2, axis=-1
    )
    # Only differences matter: small numbers keep the angles exact. They are
    # from the last key, as padding is at 0, however far the others are.
    keys = pairs.positions_k
    none = jnp.iinfo(keys.dtype).min
    last = jnp.max(keys, axis=1, keepdims=True, initial=none)
    asking = self._waves(pairs.positions_q - last)
    sin, cos = (wave[:, :, None] for wave in asking)
    turned = jnp.concatenate(
      [cosines * sin - sines * cos, sines * sin + cosines * cos], axis=-1
    )
    waves = jnp.concatenate(self._waves(keys - last), axis=-1)
    at_keys = jnp.einsum("hk,bshk->bhs", for_keys, k.astype(jnp.float32))
    scores = jnp.einsum("bthw,bsw->bhts", turned, waves)
    return (scores + at_keys[:, :, None]) * q.shape[-1] ** -0.5

  def _waves(
    self, positions: Positions
  ) -> tuple[Float[Array, "b t w"], Float[Array, "b t w"]]:
    """Sines and cosines of half the width each."""
    rate = rates(self.width // 2, self.base)[None, None, :]
    angle = positions[:, :, None] * rate
    return jnp.sin(angle), jnp.cos(angle)
