"""FIRE, functional interpolation of relative positions (Li 2024).

Formula: f(ψ(|i − j|) / ψ(max(L, i, j))) is added to the score, with
ψ(x) = log(c x + 1) and f(x) = W_2 relu(w_1 x + b_1) + b_2, one number a head.
Cost: O(t s hidden h) time, and O(t s hidden) memory for a moment.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from research.initializers import uniform
from research.places import Pairs
from research.positions.base import (
  ScorePosition,
  check_positive,
  differences,
)
from research.shapes import Keys, Queries


class Fire(ScorePosition):
  """A small network from the relative distance, 0 … 1, to a bias per head.

  Positions count from 0 at the beginning of a sequence; i and j are the ones
  that the batch gives, randomised or not, and not indices. The largest of
  both is the paper's i under a causal mask; without one, it keeps keys after
  the query within 0 … 1 as well. Beyond L, scores depend on more than the
  difference. Parameters: 2 + 2 hidden + hidden h + h.

  What the hidden layer holds for all pairs is made again for the gradient
  and not kept.

  Attributes:
    hidden: the width of the network's hidden layer.
    slope: c at the start; it stays above 0.
    threshold: L at the start; it stays above 0.
  """

  hidden: int = 32
  slope: float = 0.1
  threshold: float = 512.0

  def __post_init__(self) -> None:
    if self.hidden < 1:
      raise ValueError(f"hidden = {self.hidden}; allowed: 1 or more")
    check_positive(self, "slope", "threshold")
    super().__post_init__()

  @nn.compact
  def bias(self, q: Queries, k: Keys, pairs: Pairs) -> Float[Array, "b h t s"]:
    heads, deep = q.shape[2], self.hidden**-0.5
    # As factors of their starts, which keeps them above 0.
    slope = self.slope * jnp.exp(self._number("slope"))
    threshold = self.threshold * jnp.exp(self._number("threshold"))
    # Knots spread over the unit interval need biases that are not zero.
    network = (
      self.param("into", uniform(1.0), (self.hidden,)),
      self.param("into_bias", uniform(1.0), (self.hidden,)),
      self.param("out", uniform(deep), (self.hidden, heads)),
      self.param("out_bias", uniform(deep), (heads,)),
    )
    apart = jnp.abs(differences(pairs))
    last = jnp.maximum(
      pairs.positions_q[:, :, None], pairs.positions_k[:, None, :]
    )
    whole = jnp.maximum(last.astype(jnp.float32), threshold)
    share = jnp.log1p(slope * apart) / jnp.log1p(slope * whole)
    # Steps are scanned, where nothing has to be kept from being merged.
    network_again = jax.checkpoint(_network, prevent_cse=False)
    return network_again(share, *network)

  def _number(self, name: str) -> Float[Array, ""]:
    """The logarithm of a learned factor."""
    return self.param(f"log_{name}", nn.initializers.zeros, ())


def _network(
  share: Float[Array, "b t s"],
  into: Float[Array, "n"],
  into_bias: Float[Array, "n"],
  out: Float[Array, "n h"],
  out_bias: Float[Array, "h"],
) -> Float[Array, "b h t s"]:
  hidden = share[..., None] * into[None, None, None, :]
  hidden = jax.nn.relu(hidden + into_bias[None, None, None, :])
  scores = jnp.einsum("btsn,nh->bhts", hidden, out)
  return scores + out_bias[None, :, None, None]
