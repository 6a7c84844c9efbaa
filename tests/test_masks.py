"""Masks against a rule spoken in plain Python, pair by pair."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.masks import (
  Blocks,
  Causal,
  Full,
  Global,
  Mask,
  Prefix,
  Window,
  check_mask,
)
from research.sparse_masks import Dilated, Fixed, Strided

LENGTH = 9

Rule = Callable[[int, int], bool]

RULES: dict[str, tuple[Mask, Rule]] = {
  "full": (Full(), lambda q, k: True),
  "causal": (Causal(), lambda q, k: k <= q),
  "window 1": (Window(1), lambda q, k: q == k),
  "window 3": (Window(3), lambda q, k: -3 < q - k < 3),
  "window 20": (Window(20), lambda q, k: True),
  "global 0": (Global(0), lambda q, k: False),
  "global 2": (Global(2), lambda q, k: q < 2 or k < 2),
  "blocks 1": (Blocks(1), lambda q, k: q == k),
  "blocks 4": (Blocks(4), lambda q, k: q // 4 == k // 4),
  "one-sided": (Causal() & Window(3), lambda q, k: 0 <= q - k < 3),
  "ahead": (~Causal() & Window(3), lambda q, k: 0 < k - q < 3),
  "sinks": (
    Causal() & (Window(2) | Global(1)),
    lambda q, k: k <= q and (q - k < 2 or q < 1 or k < 1),
  ),
  "mixed": (
    (Causal() & Window(2)) | Blocks(3),
    lambda q, k: 0 <= q - k < 2 or q // 3 == k // 3,
  ),
  "causal blocks": (
    Causal() & Blocks(4),
    lambda q, k: k <= q and q // 4 == k // 4,
  ),
  "far": (Causal() & ~Window(3), lambda q, k: q - k >= 3),
  "two causal": (
    (Causal() & Window(2)) | (Causal() & Blocks(5)),
    lambda q, k: k <= q and (q - k < 2 or q // 5 == k // 5),
  ),
  "narrow and wide": (
    Window(2) & (Global(1) | Window(4)),
    lambda q, k: -2 < q - k < 2,
  ),
  "prefix 0": (Prefix(0), lambda q, k: False),
  "prefix 1": (Prefix(1), lambda q, k: k == 0),
  "prefix 3": (Prefix(3), lambda q, k: k < 3),
  "prefix model": (Causal() | Prefix(3), lambda q, k: k <= q or k < 3),
  "dilated 1": (Dilated(1, 4), lambda q, k: q == k),
  "dilated 3": (Dilated(3, 2), lambda q, k: q - k in (-4, -2, 0, 2, 4)),
  "dilated behind": (
    Causal() & Dilated(2, 3),
    lambda q, k: q - k in (0, 3),
  ),
  "strided": (
    Strided(3),
    lambda q, k: q - k in (-6, -3, -2, -1, 0, 1, 2, 3, 6),
  ),
  "strided behind": (
    Causal() & Strided(4),
    lambda q, k: q - k in (0, 1, 2, 3, 4, 8),
  ),
  "fixed": (Fixed(3, 1), lambda q, k: q // 3 == k // 3 or k in (2, 5, 8)),
  "fixed behind": (
    Causal() & Fixed(4, 2),
    lambda q, k: k <= q and (q // 4 == k // 4 or k in (2, 3, 6, 7)),
  ),
  "not causal": (~Causal(), lambda q, k: k > q),
  "twice negated": (~~Causal(), lambda q, k: k <= q),
  "not both": (~(Causal() & Window(2)), lambda q, k: not 0 <= q - k < 2),
}

LAWS = {
  "and commutes": (Causal() & Window(3), Window(3) & Causal()),
  "or commutes": (Causal() | Prefix(3), Prefix(3) | Causal()),
  "not and": (~(Causal() & Strided(3)), ~Causal() | ~Strided(3)),
  "not or": (~(Causal() | Prefix(3)), ~Causal() & ~Prefix(3)),
  "and over or": (
    Causal() & (Blocks(3) | Prefix(2)),
    (Causal() & Blocks(3)) | (Causal() & Prefix(2)),
  ),
  "all or nothing": (Dilated(2, 3) | ~Dilated(2, 3), Full()),
  "nothing twice": (Fixed(3, 1) & ~Fixed(3, 1), ~Full()),
  "no gaps": (Dilated(4, 1), Window(4)),
  "strided in two": (Strided(3), Window(3) | Dilated(LENGTH, 3)),
  "whole summaries": (Fixed(3, 3), Full()),
  "steps of one": (Strided(1), Full()),
}
"""Pairs of masks that are one rule."""

masks = pytest.mark.parametrize(
  ("mask", "rule"), RULES.values(), ids=RULES.keys()
)


def brute(rule: Rule, t: int, s: int) -> np.ndarray:
  """The rule pair by pair, the queries being the last `t` of `s`."""
  return np.array([[rule(q, k) for k in range(s)] for q in range(s - t, s)])


@masks
def test_dense(mask, rule):
  wanted = brute(rule, LENGTH, LENGTH)
  assert mask.dense(LENGTH, LENGTH).dtype == bool
  np.testing.assert_array_equal(mask.dense(LENGTH, LENGTH), wanted)
  np.testing.assert_array_equal(mask.dense(3, LENGTH), wanted[-3:])


@pytest.mark.parametrize(("left", "right"), LAWS.values(), ids=LAWS.keys())
def test_composition(left, right):
  whole = left.dense(LENGTH, LENGTH)
  np.testing.assert_array_equal(whole, right.dense(LENGTH, LENGTH))


@masks
def test_traced_indices(mask, rule):
  index = jnp.arange(LENGTH)
  allowed = jax.jit(mask.allows)(index[:, None], index[None, :])
  allowed = np.broadcast_to(allowed, (LENGTH, LENGTH))
  np.testing.assert_array_equal(allowed, brute(rule, LENGTH, LENGTH))


@masks
@pytest.mark.parametrize("length", [1, 2, 4, LENGTH])
def test_causal_tells_the_truth(mask, rule, length):
  later = np.triu(brute(rule, length, length), k=1).any()
  assert not (mask.causal and later)
  # At the whole length it says no more than it has to.
  assert mask.causal != later or length < LENGTH


@masks
@pytest.mark.parametrize("length", [1, 3, LENGTH])
def test_reach_holds_every_key_up_to_the_query(mask, rule, length):
  query, key = np.nonzero(brute(rule, length, length))
  back = query - key
  reach = mask.reach(length)
  assert 0 <= reach <= length
  assert (back[back >= 0] < reach).all()


def test_reach_is_not_wider_than_needed():
  assert Window(3).reach(9) == 3
  assert (Causal() & Window(3)).reach(2) == 2
  assert (Causal() & Blocks(4)).reach(9) == 4
  assert (Causal() & (Window(2) | Blocks(3))).reach(9) == 3
  assert Dilated(3, 2).reach(9) == 5
  assert (Causal() & Dilated(3, 2)).reach(4) == 4
  assert (Causal() & (Strided(3) | Prefix(2))).reach(9) == 9
  assert (Causal() | Window(2)).reach(9) == 9


@masks
def test_masks_are_records(mask, rule):
  assert hash(mask) == hash(dataclasses.replace(mask))
  assert mask == dataclasses.replace(mask)
  name = dataclasses.fields(mask)[0].name if dataclasses.fields(mask) else "x"
  with pytest.raises(dataclasses.FrozenInstanceError):
    setattr(mask, name, 1)


@pytest.mark.parametrize(
  ("make", "field"),
  [
    (lambda: Window(0), "width = 0"),
    (lambda: Global(-1), "tokens = -1"),
    (lambda: Blocks(0), "size = 0"),
    (lambda: Prefix(-2), "tokens = -2"),
    (lambda: Causal().dense(4, 3), "t = 4 .* s = 3"),
  ],
)
def test_refused(make, field):
  with pytest.raises(ValueError, match=f"{field}.*; allowed: "):
    make()


class Plain(Causal):
  """Not marked as a dataclass, so that its fields would be nobody's."""


@dataclasses.dataclass(frozen=True)
class Ahead(Full):
  """Looks at later keys, and says that it does not."""

  @property
  def causal(self) -> bool:
    return True


@dataclasses.dataclass(frozen=True)
class Called(Causal):
  """Says it by a method, which is true whatever it returns."""

  def causal(self) -> bool:
    return False


@dataclasses.dataclass(frozen=True)
class Short(Causal):
  """Looks further back than it says."""

  def reach(self, length: int) -> int:
    return length - 1


@dataclasses.dataclass(frozen=True)
class Listed(Causal):
  """Has a field that may change."""

  keys: list[int] = dataclasses.field(default_factory=list)


@pytest.mark.parametrize(
  ("mask", "message"),
  [
    (Listed(), r"mask = Listed\(keys=\[\]\) cannot be compared .*; allowed: "),
    (Plain(), "mask = Plain is no record; allowed: .*frozen=True"),
    (Ahead(), r"mask = Ahead\(\) has causal = True; allowed: a property"),
    (Called(), "has causal = <bound method .*; allowed: a property"),
    (Short(), r"mask = Short\(\) has reach\(16\) = 15; allowed: at least"),
  ],
  ids=["may change", "no record", "later keys", "no property", "reach"],
)
def test_a_mask_that_does_not_tell_the_truth_is_refused(mask, message):
  with pytest.raises(ValueError, match=message):
    check_mask(mask)


@masks
def test_a_mask_that_tells_the_truth_is_not_refused(mask, rule):
  check_mask(mask)
