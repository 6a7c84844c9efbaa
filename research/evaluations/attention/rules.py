"""Attention's independent parts put together to functions of a block."""

import dataclasses
import functools
from typing import Any, NamedTuple

import flax.errors
import jax.numpy as jnp
from jaxtyping import Array, Float

from research.evaluations.attention.base import GroupValues, Rules, shaped
from research.evaluations.attention.modifications import (
  Modification,
  change,
  everybody,
  kept,
  permit,
)
from research.heads.base import Heads
from research.heads.independent import Independent
from research.normalizers.base import Allowed, Normalizer, Weights
from research.normalizers.softmax import Softmax
from research.places import Pairs
from research.positions.base import ScorePosition
from research.positions.none import NoPosition
from research.scores.base import Score, Scores
from research.scores.scaled import ScaledDotProduct
from research.shapes import Queries, SharedKeys


class Parts(NamedTuple):
  """The choices of which attention is made.

  The modules are bound, or without parameters, or `Functions` of one.
  """

  score: Score = ScaledDotProduct()
  normalizer: Normalizer = Softmax()
  position: ScorePosition = NoPosition()
  joint: Heads = Independent()
  score_mod: Modification = kept
  mask_mod: Modification = everybody
  weight_mod: Modification = kept


class Functions:
  """The methods of a bound module as pure functions, over its variables.

  A bound module cannot be called inside of a transformation; these can.
  """

  def __init__(self, module: Any):
    self._module = module.clone(parent=None)
    self._variables = module.variables

  def __call__(self, *given: Any) -> Any:
    return self._apply("__call__", *given)

  def __getattr__(self, name: str) -> Any:
    if not callable(getattr(type(self._module), name, None)):
      return getattr(self._module, name)

    return functools.partial(self._apply, name)

  def _apply(self, name: str, *given: Any) -> Any:
    try:
      return self._module.apply(self._variables, *given, method=name)
    except flax.errors.InvalidRngError as error:
      raise ValueError(
        f"{type(self._module).__name__} draws random numbers; allowed: parts "
        "that draw none, or evaluation = 'dense'"
      ) from error


def rules(parts: Parts, heads: int, key_heads: int, key_width: int) -> Rules:
  """The functions of a block.

  after(weight_mod(normalize(score_mod(before(score(q, k)) + bias)))) v

  Args:
    parts: what is put together.
    heads: of the outputs.
    key_heads: g, of keys and values, shared by groups of heads.
    key_width: k.
  """
  made = _Made(parts, heads, heads // key_heads, key_width)
  changes = parts.weight_mod is not kept or parts.joint.reweighs
  return Rules(
    made.scores,
    parts.normalizer,
    made.read,
    made.weights if changes else None,
    None if parts.mask_mod is everybody else made.mask_mod,
  )


@dataclasses.dataclass(frozen=True)
class _Made:
  """Parts, and the numbers that their functions need."""

  parts: Any
  heads: int
  times: int
  key_width: int

  @property
  def maps(self) -> int:
    maps: int = self.parts.joint.maps
    return maps

  def scores(
    self, q: Queries, k: SharedKeys, pairs: Pairs
  ) -> tuple[Scores, Allowed]:
    parts = self.parts
    k = share(k, self.times, self.maps)
    wanted = (q.shape[0], q.shape[2], q.shape[1], k.shape[1])
    found = shaped("score", parts.score(q, k), wanted)
    found = shaped("joint.before", parts.joint.before(found), wanted)
    found = found.astype(jnp.float32)
    allowed = pairs.allowed
    bias = _bias(parts.position, self.maps, q, k, pairs)
    if bias is not None:
      found = found + shaped("position.bias", bias, wanted).astype(jnp.float32)
      # Not isfinite: a NaN is no prohibition and has to be seen.
      allowed = allowed & (bias != -jnp.inf)
    if parts.score_mod is not kept:
      found = self._changed("score_mod", found, pairs)
      allowed = allowed & (found != -jnp.inf)
    return found, allowed

  def weights(
    self, weights: Weights, pairs: Pairs
  ) -> Float[Array, "b heads t s"]:
    if self.parts.weight_mod is not kept:
      # Ones first: a derivative at a weight of zero may be infinite.
      given = jnp.where(pairs.allowed, weights, 1.0)
      changed = self._changed("weight_mod", given, pairs)
      weights = jnp.where(pairs.allowed, changed, 0.0)
    batch, maps, *rows = weights.shape
    found = self.parts.joint.after(weights, self.key_width)
    return shaped("joint.after", found, (batch, maps // self.maps, *rows))

  def read(
    self, weights: Weights, v: GroupValues, pairs: Pairs
  ) -> Float[Array, "b t heads v"]:
    v = share(v, self.times, 1)
    # Heads first: in another order the compiler copies the weights.
    y = jnp.einsum(
      "bhts,bhsv->bhtv",
      weights.astype(v.dtype),
      jnp.swapaxes(v, 1, 2),
      preferred_element_type=jnp.float32,
    )
    y = jnp.swapaxes(y, 1, 2)
    more = self.parts.position.values(weights, v.shape[-1], pairs)
    return y if more is None else y + more

  def mask_mod(
    self, positions_q: Array, positions_k: Array, maps: Array | None
  ) -> Allowed:
    where = positions_q, positions_k, self._heads(maps)
    return permit("mask_mod", self.parts.mask_mod, *where)

  def _changed(self, name: str, scores: Scores, pairs: Pairs) -> Scores:
    where = pairs.positions_q, pairs.positions_k, self._heads(pairs.heads)
    return change(name, getattr(self.parts, name), scores, *where)

  def _heads(self, maps: Array | None) -> Array:
    """The head of each map, of all or of some."""
    if maps is None:
      maps = jnp.arange(self.heads * self.maps)
    return maps // self.maps


def share(x: SharedKeys, times: int, maps: int) -> Float[Array, "b s h k"]:
  """Keys or values for every head, from those that groups of heads share."""
  if times == 1:
    return x
  batch, length, count, width = x.shape
  x = x.reshape(batch, length, count // maps, 1, maps, width)
  x = jnp.broadcast_to(x, x.shape[:3] + (times,) + x.shape[4:])
  return x.reshape(batch, length, count * times, width)


def _bias(
  position: Any, maps: int, q: Array, k: Array, pairs: Pairs
) -> Float[Array, "b h t s"] | None:
  """The encoding's bias; the maps of one head have the same, map by map."""
  allowed = pairs.allowed
  each = [
    position.bias(
      q[:, :, i::maps],
      k[:, :, i::maps],
      pairs._replace(
        allowed=allowed if allowed.shape[1] == 1 else allowed[:, i::maps]
      ),
    )
    for i in range(maps)
  ]
  if maps == 1 or each[0] is None:
    return each[0]
  return jnp.stack(each, axis=2).reshape(
    q.shape[0], q.shape[2], q.shape[1], k.shape[1]
  )
