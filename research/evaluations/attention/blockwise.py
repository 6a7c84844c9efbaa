"""Attention block by block: time as dense, memory linear in the length.

The forward pass keeps two numbers a query and puts blocks of keys together as
they come (Milakov 2018, Rabe 2021); the backward pass makes the scores again,
block by block (Dao 2022).
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from research.evaluations.attention.base import GroupValues, Rules, Side
from research.evaluations.attention.block import At, Block, swapped
from research.evaluations.attention.blocks import Blocks, blocks
from research.evaluations.attention.closure import hoist
from research.evaluations.attention.mesh import alike, check_auto
from research.evaluations.attention.passes import evaluate
from research.evaluations.attention.sweeps import Phase, Tensors
from research.masks import Full, Mask
from research.normalizers.base import Rows
from research.shapes import Queries, SharedKeys


def blockwise(
  q: Queries,
  k: SharedKeys,
  v: GroupValues,
  query: Side,
  key: Side,
  mask: Mask,
  rules: Rules,
  heads: int = 1,
) -> Float[Array, "b t heads v"]:
  """What the queries read, as `dense` has it, in O(t + s) memory.

  Blocks that the mask leaves empty are not looked at. Of the others it is asked
  once which ones segments or `mask_mod` leave empty, and these are skipped;
  under `vmap`, those that are empty for all members. Sums are float32. If
  weights are changed before they read, each pass looks at all blocks twice.
  Differentiable in reverse, also with respect to what the rules close over. A
  second derivative takes as little memory by `jvp` of `grad`; `grad` of `grad`
  keeps all scores.

  Args:
    q: queries.
    k: keys.
    v: values.
    query: where the queries stand.
    key: where the keys stand.
    mask: who may look at whom, by index.
    rules: what is computed.
    heads: into how many groups they may be divided, each with its own blocks.

  Raises:
    ValueError: arrays over an explicit axis of a mesh.
  """
  check_auto("evaluation = 'blockwise'", q, k, v)
  t, s = q.shape[1], k.shape[1]
  known = query.indices is None and key.indices is None
  # Of a batch without a number (`jax.export`) one example is counted.
  batch = q.shape[0] if isinstance(q.shape[0], int) else 1
  plain = key.segments is None
  skips = not plain or rules.mask_mod is not None
  maps = batch * q.shape[2]
  cover = blocks(mask if known else None, t, s, maps, heads, skips)
  more = -t % cover.size[0], -s % cover.size[1]
  if any(more) and plain:  # nobody may look at what is added
    query, key = _in_one_segment(query), _in_one_segment(key)
  if more[0]:
    q, query = _padded(q, more[0]), _longer(query, more[0])
  if more[1]:
    k, v = _padded(k, more[1]), _padded(v, more[1])
    key = _longer(key, more[1])
  tensors = swapped(q), swapped(k), swapped(v)
  phases = _phases(cover, tensors, (query, key), mask, rules, plain)
  y = evaluate(tensors, phases)
  return swapped(y)[:, :t].astype(v.dtype)


def _in_one_segment(side: Side) -> Side:
  return side._replace(segments=jnp.ones(side.positions.shape[:2], int))


def _padded(x: Array, more: int, mode: str = "edge") -> Array:
  """[b t ...] with `more` at the end of `t`: the last again, or zeros.

  Nobody looks there, but functions of scores and positions are called. They
  may have no number, and no gradient, but where there is something: a root
  has none at the score 0.
  """
  return jnp.pad(x, [(0, 0), (0, more)] + [(0, 0)] * (x.ndim - 2), mode=mode)


def _longer(side: Side, more: int) -> Side:
  """A side with `more` places of padding at its end."""
  longer: Side = jax.tree.map(lambda x: _padded(x, more, "constant"), side)
  return longer._replace(positions=_padded(side.positions, more))


def _phases(
  cover: Blocks,
  tensors: Tensors,
  sides: tuple[Side, Side],
  mask: Mask,
  rules: Rules,
  plain: bool,
) -> list[Phase]:
  """Blocks that the mask cuts, and those that it does not; one at least.

  In `plain` rows there is nothing but the mask that cuts, and what was added
  at the end, where no block is full.
  """
  query, key = sides
  heads = tensors[0].shape[1] // cover.groups if cover.groups > 1 else None
  free = query._replace(segments=None), key._replace(segments=None)
  parts = [(cover.partial, mask, sides), (cover.full, Full(), free)]
  if not plain:  # segments may cut them all
    everything = np.concatenate([cover.partial, cover.full])
    parts = [(np.unique(everything, axis=0), mask, sides)]
  if not any(len(where) for where, *_ in parts):  # nobody sees anybody
    parts = [(np.zeros((1, 2)), mask, sides)]
  found = []
  for where, rule, ends in parts:
    if len(where):
      block = Block(cover.size, heads, ends, rule, rules)
      each = _in_groups(where.astype(np.int32), cover.groups)
      found.append(_phase(each, cover.groups, block, tensors, cover.skips))
  return found


def _in_groups(where: np.ndarray, groups: int) -> np.ndarray:
  """Blocks [n 2] of each group of heads, [n 3]."""
  return np.concatenate([np.insert(where, 0, g, axis=1) for g in range(groups)])


def _phase(
  where: np.ndarray, groups: int, block: Block, tensors: Tensors, skips: bool
) -> Phase:
  size = block.size
  q, k, v = (
    x[:, : x.shape[1] // groups, :n]
    for x, n in zip(tensors, (size[0], size[1], size[1]), strict=True)
  )
  at = At(jnp.int32(0), jnp.int32(0), jnp.int32(0))
  found = hoist(block.scores, q, k, at)
  scores = found.shapes[0]
  number = _zeros(scores.shape[:3] + (1,))
  number = alike(number, q, k, v, found.captured)
  rows = Rows(number, number)
  whole = alike(_zeros((*tensors[0].shape[:3], 1)), number)
  read = hoist(block.read, q, k, v, rows, at)
  above = alike(_zeros(read.shapes[0].shape), number)
  online = block.rules.normalizer.online and block.rules.weights is None
  return Phase(
    where,
    size,
    groups,
    online,
    hoist(block.online, q, k, v, rows, above, at)
    if online
    else hoist(block.rows, q, k, rows, at),
    read,
    hoist(block.divisor, Rows(whole, whole)),
    hoist(block.seen, at) if skips else None,
  )


def _zeros(shape: tuple[int, ...]) -> Array:
  return jnp.zeros(shape, jnp.float32)
