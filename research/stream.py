"""Reading a sequence piece by piece: when a mixer streams, and its history.

The presence of a mutable `cache` collection is the mode; there is no flag.
Every leaf of a cache has the batch axis first and starts at zero, so that a
cache can be made from shapes alone and reordered by one gather.
"""

from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict
from jaxtyping import Array, Bool, Float, Int, Shaped

from research.places import gather
from research.shapes import Segments

ONCE = "once_"
MADE = f"{ONCE}made"
"""In a cache: how names begin of what the first call makes for all, and the
leaf that says of each row whether it is made."""


def streaming(module: nn.Module) -> bool:
  """Whether this call continues the stream kept in `cache`.

  Raises:
    ValueError: a cache was given that may not be written.
  """
  if module.is_initializing():
    return False
  if module.is_mutable_collection("cache"):
    return True
  if "cache" in module.variables:
    raise ValueError(
      "mutable leaves out the collection 'cache' that was given; allowed: "
      "apply(..., mutable=['cache']), or no cache"
    )
  return False


def cached(module: nn.Module) -> dict[str, Array]:
  """The leaves of the cache that a call of the module begins with, by path."""
  return flatten_dict(module.variables.get("cache", {}), sep=".")


def check_cached(module: nn.Module, before: Mapping[str, Array]) -> None:
  """Refuses a cache that another model began, behind a call of the module.

  A model writes each leaf that it keeps. So a leaf that was left alone is
  another model's, and so is a cache that lacks a leaf.

  Args:
    module: that was called.
    before: what was `cached`; without a leaf the stream begins here.

  Raises:
    ValueError: names a leaf that is missing, or one too many.
  """
  if not before:
    return
  after = cached(module)
  missing = [name for name in after if name not in before]
  surplus = [name for name, leaf in before.items() if after[name] is leaf]
  for names, verb in ((missing, "lacks"), (surplus, "has")):
    if names:
      where = ".".join(("cache", *module.path))
      raise ValueError(
        f"{where} {verb} {names[0]}; allowed: a cache of this model, as its "
        "`start` makes it"
      )


def _kept(
  module: nn.Module,
  name: str,
  shape: tuple[int, ...],
  dtype: Any,
  free: int | None = None,
) -> nn.Variable:
  """A leaf of the cache; zeros before the first token.

  Args:
    module: the streaming module.
    name: of the leaf.
    shape: that it has to have.
    dtype: that it has to have.
    free: an axis that may be as long as it is.

  Raises:
    ValueError: the cache is one of another model, batch size or precision.
  """
  leaf = module.variable("cache", name, jnp.zeros, shape, dtype)
  found = leaf.value.shape
  alike = [
    a == b or i == free
    for i, (a, b) in enumerate(zip(found, shape, strict=False))
  ]
  where = ".".join(("cache", *module.path, name))
  if leaf.value.dtype != dtype:
    raise ValueError(
      f"{where} has dtype {leaf.value.dtype}; allowed: {jnp.dtype(dtype)}, a "
      "cache of this model and precision"
    )
  if len(found) != len(shape) or not all(alike):
    raise ValueError(
      f"{where} has shape {found}; allowed: {shape}, a cache of this model "
      "and batch size"
    )
  return leaf


def carried(
  module: nn.Module, start: Mapping[str, Shaped[Array, "b ..."]]
) -> dict[str, Array]:
  """What the stream of the module carries, by name; zeros before a token.

  Args:
    module: the streaming module.
    start: arrays of the shapes and dtypes of what is carried.
  """
  return {
    name: _kept(module, name, value.shape, value.dtype).value
    for name, value in start.items()
  }


def carry(
  module: nn.Module, state: Mapping[str, Shaped[Array, "b ..."]]
) -> None:
  """Puts what was `carried` into the cache, for the tokens that come next."""
  for name, value in state.items():
    module.put_variable("cache", name, value)


def history(
  module: nn.Module,
  tokens: Mapping[str, Shaped[Array, "b t ..."]],
  segments: Segments,
  count: int,
) -> tuple[dict[str, Array], Int[Array, "b s"], Int[Array, "b t"]]:
  """The last `count` tokens of the stream joined with the new ones.

  Padding is dropped between them: the joined tokens stand side by side and
  what is left over stands at the end with segment 0.

  Args:
    module: the streaming module; keeps `count` tokens in its cache.
    tokens: what is known of every new token, by name.
    segments: Int[b t] of the new tokens, 0 for padding.
    count: how many tokens to keep for the next call.

  Returns:
    The joined tokens [b s ...] by name, s = count + t, their segments
    [b s], and where each new token stands among them [b t].
  """
  batch, length = segments.shape
  new = {**tokens, "segments": segments}
  joined = {}
  for name, value in new.items():
    shape = (batch, count) + value.shape[2:]
    kept = _kept(module, name, shape, value.dtype)
    joined[name] = jnp.concatenate([kept.value, value], axis=1)
  valid = joined["segments"] > 0
  order = jnp.argsort(~valid, axis=1, stable=True)
  joined = {name: gather(value, order) for name, value in joined.items()}
  number = jnp.sum(valid, axis=1, keepdims=True)
  last = number - count + jnp.arange(count)[None, :]
  for name, value in joined.items():
    kept_now = gather(value, jnp.maximum(last, 0))
    present = (last >= 0).reshape(last.shape + (1,) * (value.ndim - 2))
    latest = jnp.where(present, kept_now, jnp.zeros_like(kept_now))
    module.put_variable("cache", name, latest)
  back = jnp.maximum(jnp.cumsum(valid, axis=1)[:, count:] - 1, 0)
  return joined, joined.pop("segments"), back


def slots(
  module: nn.Module, segments: Segments
) -> tuple[Int[Array, "b t"], jax.Array]:
  """Where the new tokens go in a growing store, kept per row in the cache.

  Returns:
    The slot of each new token [b t]; padding has the slot of the last token
    before it. And True [b t] where there is a token to be written.
  """
  used = _kept(module, "used", segments.shape[:1], jnp.int32)
  valid = segments > 0
  slot = used.value[:, None] + jnp.cumsum(valid, axis=1) - 1
  used.value = used.value + jnp.sum(valid, axis=1, dtype=jnp.int32)
  return slot, valid


def store(
  module: nn.Module,
  tokens: Mapping[str, Shaped[Array, "b t ..."]],
  segments: Segments,
  slot: Int[Array, "b t"],
  valid: Bool[Array, "b t"],
) -> tuple[dict[str, Array], Int[Array, "b s"]]:
  """All tokens of the stream, the new ones written at their slots.

  The store is made by the first call, as long as that call's sequence.

  Args:
    module: the streaming module.
    tokens: what is known of every new token, by name.
    segments: Int[b t] of the new tokens, 0 for padding.
    slot: where they go, as `slots` says.
    valid: which of them are written.

  Returns:
    The stored tokens [b s ...] by name, and their segments [b s].
  """
  kept_tokens = {}
  for name, value in {**tokens, "segments": segments}.items():
    heads = value.ndim == 4
    shape = _heads_first(value.shape) if heads else value.shape
    kept = _kept(module, name, shape, value.dtype, 2 if heads else 1)
    # What is beyond the end is not written.
    write = jnp.where(valid, slot, kept.value.shape[2 if heads else 1])
    kept.value = _put(kept.value, value, write, heads)
    kept_tokens[name] = jnp.swapaxes(kept.value, 1, 2) if heads else kept.value
  return kept_tokens, kept_tokens.pop("segments")


def _heads_first(shape: tuple[int, ...]) -> tuple[int, ...]:
  """Of a store of tokens with heads: each head's stand side by side.

  Products with all keys of a head read them so, and would copy the store.
  """
  return (shape[0], shape[2], shape[1], *shape[3:])


def _put(
  kept: Shaped[Array, "b ..."],
  value: Shaped[Array, "b t ..."],
  write: Int[Array, "b t"],
  heads: bool,
) -> Shaped[Array, "b ..."]:
  """The store with new tokens written at their slots."""
  rows = jnp.arange(write.shape[0])[:, None]
  if not heads:
    return kept.at[rows, write].set(value, mode="drop")
  head = jnp.arange(kept.shape[1])[None, None, :]
  at = kept.at[rows[..., None], head, write[..., None]]
  return at.set(value, mode="drop")


def once(
  module: nn.Module,
  shapes: Mapping[str, tuple[int, ...]],
  make: Callable[[Any, Array], tuple[Array, ...]],
  x: Float[Array, "b s d"],
) -> tuple[Array, ...]:
  """`make(module, x)`, computed by the first call of a stream alone.

  Later calls read it from the cache, and `x` is not looked at any more. All
  that is kept has a name in the cache that begins with `ONCE`.

  Args:
    module: the streaming module.
    shapes: of what is made, by its name; the first axis is b.
    make: a function of the module, which may own parameters.
    x: what it is made of.
  """
  kept = [
    _kept(module, f"{ONCE}{name}", shape, x.dtype)
    for name, shape in shapes.items()
  ]
  done = _kept(module, MADE, x.shape[:1], bool)
  old = tuple(one.value for one in kept)
  new = nn.cond(jnp.all(done.value), lambda module, x: old, make, module, x)
  for one, before, after in zip(kept, old, new, strict=True):
    rows = done.value.reshape((-1,) + (1,) * (before.ndim - 1))
    one.value = jnp.where(rows, before, after)
  done.value = jnp.ones_like(done.value)
  return tuple(one.value for one in kept)
