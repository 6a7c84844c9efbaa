"""Hard-ALiBi: some heads see a short window, the others all (Jelassi 2024).

Formula: score + 0 if |p_q − p_k| < m_h, and −∞ otherwise; heads without a
window have no encoding. Cost: O(t s) per head, no parameters.

In the paper ("Repeat after me") heads read short n-grams and find the place
where they stood before: as in its code, the heads with a window see 1, 2, 3, …
tokens, the query's own among them, and half of the heads have none. Distances
are those of positions: positions drawn at random thin a window out. The paper
is causal; with later keys allowed, a window has the same width on both sides.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from research.places import Pairs
from research.positions.base import ScorePosition, differences
from research.shapes import Keys, Queries


class HardALiBi(ScorePosition):
  """Forbids, in some heads, all keys but the nearest.

  Attributes:
    windows: m_h of the first heads, in positions, the query's own among them;
      the heads that it does not name see everything. Empty: 1, 2, … for half
      of the heads (rounded down).
  """

  windows: tuple[int, ...] = ()

  def __post_init__(self) -> None:
    if any(window < 1 for window in self.windows):
      raise ValueError(f"windows = {self.windows}; allowed: 1 or more each")
    super().__post_init__()

  def bias(self, q: Queries, k: Keys, pairs: Pairs) -> Float[Array, "b h t s"]:
    distance = jnp.abs(differences(pairs))
    windows = jnp.asarray(self._windows(q.shape[2]), jnp.int32)
    inside = distance[:, None] < windows[None, :, None, None]
    return jnp.where(inside, 0.0, -jnp.inf)

  def _windows(self, heads: int) -> list[int]:
    """m_h of every head."""
    windows = self.windows or tuple(range(1, heads // 2 + 1))
    if not 0 < len(windows) <= heads:
      raise ValueError(
        f"windows = {self.windows} with heads = {heads}; allowed: a window "
        "for 1 to all of the heads, or () with 2 heads and more"
      )
    everything = int(np.iinfo(np.int32).max)
    return [*windows] + [everything] * (heads - len(windows))
