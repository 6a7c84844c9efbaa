"""Attention behind one name, in whichever form fits."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from research.evaluations.attention.base import GroupValues, Side, meet
from research.evaluations.attention.blockwise import blockwise
from research.evaluations.attention.choice import (
  Evaluation,
  Form,
  choose,
  heads_apart,
)
from research.evaluations.attention.dense import dense
from research.evaluations.attention.library import library, told
from research.evaluations.attention.modifications import (
  Modification,
  check_function,
  everybody,
  kept,
)
from research.evaluations.attention.probe import probe
from research.evaluations.attention.rules import Functions, Parts, rules
from research.masks import Full, Mask, check_mask
from research.record import check_literal
from research.scores.base import scale_of
from research.shapes import Edges, Queries, SharedKeys

_MODS = ("score_mod", "mask_mod", "weight_mod")


def attention(
  q: Queries,
  k: SharedKeys,
  v: GroupValues,
  *,
  mask: Mask = Full(),  # noqa: B008 (frozen)
  score_mod: Modification = kept,
  mask_mod: Modification = everybody,
  weight_mod: Modification = kept,
  segments: Int[Array, "b t"] | None = None,
  evaluation: Evaluation = "auto",
) -> Float[Array, "b t h v"]:
  """Softmax attention, changed by functions of one pair of query and key.

  Positions count from 0 on both sides. In blocks (`evaluation`) derivatives
  are of reverse mode alone; "dense" has all of them. Functions are not tried
  out before, as those of a layer are. To be called under `jax.jit`: without,
  blocks are compiled again in every call.

  Args:
    q: queries [b t h k].
    k: keys [b s g k]; g divides h.
    v: values [b s g v].
    mask: who may look at whom, known before the data; what it leaves out
      costs nothing.
    score_mod: (score, batch, head, query, key) → score, before softmax; −∞
      forbids a pair, and a score below −1e30 weighs nothing.
    mask_mod: (batch, head, query, key) → whether the pair is allowed.
    weight_mod: (weight, batch, head, query, key) → weight, after softmax.
    segments: of packed sequences, which never interact; 0 is padding. For
      queries and keys of one sequence.
    evaluation: the form, as in `Attention`.

  Raises:
    ValueError: a function that gives no number for a pair, a form that is
      unknown or not allowed by the functions, a mask that is none, or arrays
      that are no floats or do not fit each other; functions or blocks, and
      arrays over an explicit axis of a mesh.
  """
  check_literal("evaluation", evaluation, Evaluation)
  parts = Parts(score_mod=score_mod, mask_mod=mask_mod, weight_mod=weight_mod)
  return _checked(q, k, v, mask, parts, segments, evaluation)[0]


def attention_maps(
  q: Queries,
  k: SharedKeys,
  *,
  mask: Mask = Full(),  # noqa: B008 (frozen)
  score_mod: Modification = kept,
  mask_mod: Modification = everybody,
  weight_mod: Modification = kept,
  segments: Int[Array, "b t"] | None = None,
) -> Float[Array, "b h t s"]:
  """The weights with which `attention` reads, all at once.

  Args and errors are those of `attention`.
  """
  parts = Parts(score_mod=score_mod, mask_mod=mask_mod, weight_mod=weight_mod)
  maps = _checked(q, k, k, mask, parts, segments, "dense")[1]
  assert maps is not None
  return maps


def _checked(
  q: Queries,
  k: SharedKeys,
  v: GroupValues,
  mask: Mask,
  parts: Parts,
  segments: Int[Array, "b t"] | None,
  evaluation: Evaluation,
) -> tuple[Float[Array, "b t h v"], Float[Array, "b h t s"] | None]:
  """`attend`, where both sides count from 0 and everything fits."""
  check_mask(mask)
  for name in _MODS:
    check_function(name, getattr(parts, name))
  for name, x in {"q": q, "k": k, "v": v}.items():
    _check_array(name, x)
  _check_shapes(q, k, v)
  sides = _sides(q, k, segments)
  if segments is not None:  # a weight of zero does not hide what is NaN
    here = segments[..., None, None] > 0
    q, k, v = (jnp.where(here, x, 0) for x in (q, k, v))
  return attend(q, k, v, *sides, mask, parts, evaluation=evaluation)


def _sides(
  q: Queries, k: SharedKeys, segments: Int[Array, "b t"] | None
) -> tuple[Side, Side]:
  """Both, counting from 0."""
  query, key = (
    Side(jnp.broadcast_to(jnp.arange(x.shape[1])[None], x.shape[:2]))
    for x in (q, k)
  )
  if segments is not None:
    shape = getattr(segments, "shape", type(segments).__name__)
    if not shape == q.shape[:2] == k.shape[:2]:
      raise ValueError(
        f"segments has shape {shape}; allowed: (b, t) = "
        f"{q.shape[:2]} with as many keys as queries, here {k.shape[1]}"
      )
  return query._replace(segments=segments), key._replace(segments=segments)


def _check_array(name: str, x: Any) -> None:
  if not isinstance(x, jax.Array | np.ndarray) or x.ndim != 4:
    shape = getattr(x, "shape", type(x).__name__)
    raise ValueError(
      f"{name} has shape {shape}; allowed: an array (b, length, heads, width)"
    )
  if not jnp.issubdtype(x.dtype, jnp.floating):
    raise ValueError(f"{name} has dtype {x.dtype}; allowed: real floats")


def _check_shapes(q: Queries, k: SharedKeys, v: GroupValues) -> None:
  b, _, h, width = q.shape
  _, s, g, _ = k.shape
  if k.shape != (b, s, g, width):
    raise ValueError(
      f"k has shape {k.shape} and q {q.shape}; allowed: (b, s, g, k) with b = "
      f"{b} and k = {width}"
    )
  if not g or h % g:
    raise ValueError(f"k has {g} heads and q {h}; allowed: g that divides h")
  if v.shape[:3] != (b, s, g):
    raise ValueError(
      f"v has shape {v.shape}; allowed: (b, s, g, v) with (b, s, g) = "
      f"{(b, s, g)}, as k has"
    )


def attend(
  q: Queries,
  k: SharedKeys,
  v: GroupValues,
  query: Side,
  key: Side,
  mask: Mask,
  parts: Parts,
  *,
  edges: Edges | None = None,
  evaluation: Evaluation = "auto",
  starting: bool = False,
) -> tuple[Float[Array, "b t heads v"], Float[Array, "b heads t s"] | None]:
  """What the queries read, by the parts of attention.

  Args:
    q: queries as they meet keys.
    k: keys likewise.
    v: values.
    query: where the queries stand.
    key: where the keys stand.
    mask: who may look at whom, by index.
    parts: what is computed; modules are bound, or without parameters.
    edges: of a graph, or None.
    evaluation: the form that is asked for.
    starting: whether the parts have to make their parameters first.

  Returns:
    The outputs in the dtype of `v`; and the weights, where they were made at
    once.

  Raises:
    ValueError: a part gave another shape than its contract says, or does not
      allow the form that was asked for; it is named.
  """
  form = _form(evaluation, parts, q, k, edges)
  sizes = q.shape[2] // parts.joint.maps, v.shape[2], q.shape[3]
  if starting:
    batch, t, *_ = q.shape
    _start(parts, query, mask, (batch, sizes[0], t, k.shape[1]))
  # Modifications are called inside of a transformation.
  made = rules(_freed(parts, _MODS), *sizes)
  if form == "blockwise":
    if starting:
      q_1, k_1, v_1, query_1, key_1 = jax.tree.map(
        lambda x: x[:, :1], (q, k, v, query, key)
      )
      dense(q_1, k_1, v_1, meet(mask, query_1, key_1, made), made)
    made = rules(_freed(parts, Parts._fields), *sizes)  # all parts are, here
    apart = v.shape[2] if heads_apart(parts) else 1
    return blockwise(q, k, v, query, key, mask, made, apart), None
  pairs = meet(mask, query, key, made, edges)
  if form == "dense":
    return dense(q, k, v, pairs, made)
  bare = edges is None and parts.mask_mod is everybody
  known = told(mask, query, key) if bare else None
  allowed = pairs.allowed if known is None else known
  scale = scale_of(parts.score, q.shape[3])
  assert scale is not None
  scale /= parts.normalizer.temperature
  return library(q, k, v, allowed, scale, form), None


def _form(
  evaluation: Evaluation,
  parts: Parts,
  q: Queries,
  k: SharedKeys,
  edges: Edges | None,
) -> Form:
  (_, t, heads, _), s = q.shape, k.shape[1]
  graph = edges is not None
  form = choose(evaluation, parts, t, s, heads=heads, edges=graph).form
  return form if q.size and k.size else "dense"  # nothing has no blocks


def _start(
  parts: Parts, query: Side, mask: Mask, shape: tuple[int, int, int, int]
) -> None:
  """Tries modifications, and lets them make their parameters, by one pair."""
  place = jnp.zeros(query.positions.shape[2:], query.positions.dtype)
  if query.positions.size:
    place = query.positions[0, 0]
  where = (jnp.int32(0), jnp.int32(0), place, place)
  for name in _MODS:
    part = getattr(parts, name)
    if name != "mask_mod":
      probe(name, part, mask, parts.mask_mod, shape, max(place.size, 1))
    if isinstance(part, nn.Module):
      part(*where) if name == "mask_mod" else part(jnp.float32(0), *where)


def _freed(parts: Parts, names: tuple[str, ...]) -> Parts:
  """Parts that can be called inside of transformations."""
  new: dict[str, Any] = {}
  for name in names:
    part = getattr(parts, name)
    bound = isinstance(part, nn.Module) and part.scope is not None
    new[name] = Functions(part) if bound else part
  return parts._replace(**new)
