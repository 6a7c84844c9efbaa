"""Who may look at whom, as far as it is known before the data: static masks.

A mask is a frozen record without arrays. It speaks of indices along the
sequence, so that whole blocks can be decided while tracing. What depends on
the data (padding, packed sequences, edges) stands in `places` instead.

Masks compose: `Causal() & Window(16)`, `Causal() | Global(2)`, `~Causal()`.
"""

import dataclasses
from typing import Any

import jax
import numpy as np

from research.shapes import lacks


@dataclasses.dataclass(frozen=True)
class Mask:
  """A rule over pairs of indices (query, key). Abstract."""

  def allows(self, query: Any, key: Any) -> Any:
    """Whether `query` may look at `key`: Bool, broadcast over both.

    Args:
      query: integer array (NumPy, or traced) of query indices.
      key: integer array of key indices, broadcastable against `query`.
    """
    raise NotImplementedError(lacks(self, "allows"))

  @property
  def causal(self) -> bool:
    """True if it is known that no query ever looks at a later key."""
    raise NotImplementedError(lacks(self, "causal"))

  def reach(self, length: int) -> int:
    """A bound: of the keys up to a query, it needs the latest `reach`."""
    raise NotImplementedError(lacks(self, "reach"))

  def dense(self, t: int, s: int) -> np.ndarray:
    """The rule as Bool[t s], the queries being the last `t` of `s` tokens.

    Raises:
      ValueError: more queries than tokens.
    """
    if t > s:
      raise ValueError(f"t = {t} queries of s = {s} tokens; allowed: t <= s")
    query = np.arange(s - t, s)[:, None]
    return np.broadcast_to(self.known(query, np.arange(s)[None, :]), (t, s))

  def known(self, query: np.ndarray, key: np.ndarray) -> np.ndarray:
    """`allows` as NumPy, also while tracing, and of rules written in jnp."""
    with jax.ensure_compile_time_eval():
      return np.asarray(self.allows(query, key))

  def __and__(self, other: "Mask") -> "Mask":
    return Both(self, other)

  def __or__(self, other: "Mask") -> "Mask":
    return Either(self, other)

  def __invert__(self) -> "Mask":
    return Not(self)


def at_least(lowest: int, mask: Mask, field: str) -> None:
  """Refuses, with a ValueError, a field of a mask that is too small."""
  value = getattr(mask, field)
  if value < lowest:
    raise ValueError(f"{field} = {value}; allowed: {lowest} or more")


@dataclasses.dataclass(frozen=True)
class Full(Mask):
  """Everybody looks at everybody."""

  def allows(self, query: Any, key: Any) -> Any:
    return (query == query) & (key == key)

  @property
  def causal(self) -> bool:
    return False

  def reach(self, length: int) -> int:
    return length


@dataclasses.dataclass(frozen=True)
class Causal(Mask):
  """A query looks at itself and at what stands before it."""

  def allows(self, query: Any, key: Any) -> Any:
    return key <= query

  @property
  def causal(self) -> bool:
    return True

  def reach(self, length: int) -> int:
    return length


@dataclasses.dataclass(frozen=True)
class Window(Mask):
  """|query − key| < `width`: the token itself and `width` − 1 on each side.

  `Causal() & Window(w)` is the one-sided window of `w` tokens (Beltagy 2020).
  """

  width: int

  def __post_init__(self) -> None:
    at_least(1, self, "width")

  def allows(self, query: Any, key: Any) -> Any:
    return abs(query - key) < self.width

  @property
  def causal(self) -> bool:
    return self.width == 1

  def reach(self, length: int) -> int:
    return min(self.width, length)


@dataclasses.dataclass(frozen=True)
class Global(Mask):
  """The first `tokens` look at everybody, and everybody looks at them."""

  tokens: int

  def __post_init__(self) -> None:
    at_least(0, self, "tokens")

  def allows(self, query: Any, key: Any) -> Any:
    return (query < self.tokens) | (key < self.tokens)

  @property
  def causal(self) -> bool:
    return self.tokens == 0

  def reach(self, length: int) -> int:
    return length


@dataclasses.dataclass(frozen=True)
class Prefix(Mask):
  """Everybody looks at the first `tokens` of the row.

  `Causal() | Prefix(n)` is the prefix language model: what is given is read
  in both directions, what follows in one (Dong 2019, Raffel 2020).
  """

  tokens: int

  def __post_init__(self) -> None:
    at_least(0, self, "tokens")

  def allows(self, query: Any, key: Any) -> Any:
    return (query == query) & (key < self.tokens)

  @property
  def causal(self) -> bool:
    return self.tokens <= 1

  def reach(self, length: int) -> int:
    return length


@dataclasses.dataclass(frozen=True)
class Blocks(Mask):
  """Query and key lie in the same block of `size` tokens."""

  size: int

  def __post_init__(self) -> None:
    at_least(1, self, "size")

  def allows(self, query: Any, key: Any) -> Any:
    return query // self.size == key // self.size

  @property
  def causal(self) -> bool:
    return self.size == 1

  def reach(self, length: int) -> int:
    return min(self.size, length)


@dataclasses.dataclass(frozen=True)
class Both(Mask):
  """`left & right`."""

  left: Mask
  right: Mask

  def allows(self, query: Any, key: Any) -> Any:
    return self.left.allows(query, key) & self.right.allows(query, key)

  @property
  def causal(self) -> bool:
    return self.left.causal or self.right.causal

  def reach(self, length: int) -> int:
    return min(self.left.reach(length), self.right.reach(length))


@dataclasses.dataclass(frozen=True)
class Either(Mask):
  """`left | right`."""

  left: Mask
  right: Mask

  def allows(self, query: Any, key: Any) -> Any:
    return self.left.allows(query, key) | self.right.allows(query, key)

  @property
  def causal(self) -> bool:
    return self.left.causal and self.right.causal

  def reach(self, length: int) -> int:
    return max(self.left.reach(length), self.right.reach(length))


@dataclasses.dataclass(frozen=True)
class Not(Mask):
  """`~mask`."""

  mask: Mask

  def allows(self, query: Any, key: Any) -> Any:
    return ~self.mask.allows(query, key)

  def __invert__(self) -> Mask:
    return self.mask

  @property
  def causal(self) -> bool:
    return False

  def reach(self, length: int) -> int:
    return length


def check_mask(mask: Mask) -> None:
  """Refuses a mask that is no record, or says what is not so.

  Everything else relies on it: a stream keeps what `reach` says, and only
  causal masks generate. Looked at among the first 16 tokens.

  Raises:
    ValueError: no frozen dataclass of fixed fields; `causal` or `reach` that
      `allows` belies.
  """
  kind, length = type(mask), 16
  made = vars(kind).get("__dataclass_params__")
  if made is None:
    raise ValueError(
      f"mask = {kind.__name__} is no record; allowed: a class marked "
      "@dataclasses.dataclass(frozen=True)"
    )
  try:
    hash(mask)
  except TypeError as error:
    raise ValueError(
      f"mask = {mask!r} cannot be compared ({error}); allowed: a frozen "
      "dataclass whose fields are numbers, strings, tuples and records"
    ) from error
  dense, causal, reach = (
    mask.dense(length, length),
    mask.causal,
    mask.reach(length),
  )
  later = np.triu(dense, k=1).any()
  if not isinstance(causal, bool) or (causal and later):
    raise ValueError(
      f"mask = {mask!r} has causal = {causal!r}; allowed: a property, True "
      "only if no query looks at a later key"
    )
  needed = np.tril(dense, k=-reach).any()
  if needed:
    raise ValueError(
      f"mask = {mask!r} has reach({length}) = {reach}; allowed: at least as "
      "many of the latest keys as a query looks back"
    )
