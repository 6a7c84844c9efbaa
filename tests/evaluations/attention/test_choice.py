"""Which form is taken; who cannot be evaluated in a form is named."""

from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest

from research.attention.layer import Attention
from research.evaluations.attention.attend import attention
from research.evaluations.attention.choice import (
  check_form,
  choose,
  heads_apart,
  obstacle,
)
from research.evaluations.attention.rules import Parts
from research.heads.differential import Differential
from research.heads.talking import Talking
from research.masks import Causal
from research.normalizers.entmax import Entmax15
from research.normalizers.relu import ReLU
from research.normalizers.sink import SoftmaxSink
from research.normalizers.softmax import Softmax
from research.normalizers.sparsemax import Sparsemax
from research.positions.alibi import ALiBi
from research.positions.cope import CoPE
from research.positions.rotary import Rotary
from research.positions.shaw import ShawRelative
from research.scores.additive import Additive
from research.scores.cosine import Cosine
from research.scores.plain import DotProduct
from research.scores.scaled import ScaledDotProduct
from tests.tolerance import assert_close

UNBLOCKABLE = {
  "position": [CoPE(limit=4)],
  "normalizer": [Sparsemax(), Entmax15()],
}


def halved(number: Any, *_: Any) -> Any:
  return number / 2


def before(batch: Any, head: Any, query: Any, key: Any) -> Any:
  return key < query


class Bent(ScaledDotProduct):
  """Inherits the scale of a product, and is none."""

  def __call__(self, q: Any, k: Any) -> Any:
    return jnp.tanh(super().__call__(q, k))


UNKNOWN = {
  "score": [Additive(), Cosine(), Bent()],
  "normalizer": [Softmax(cap=3.0), SoftmaxSink(), ReLU(), Sparsemax()],
  "position": [ALiBi(), ShawRelative(reach=2), CoPE(limit=4)],
  "joint": [Talking(), Differential()],
  "score_mod": [halved],
  "weight_mod": [halved],
}
KNOWN = {
  "score": [DotProduct()],
  "normalizer": [Softmax(temperature=2.0)],
  "position": [Rotary()],
  "mask_mod": [before],
}
MODS = {"score_mod": [halved], "weight_mod": [halved]}
APART = KNOWN | MODS | {"normalizer": [Softmax(cap=3.0)]}
TOGETHER = {
  "score": [Additive(), Cosine(), Bent()],
  "normalizer": [SoftmaxSink(), ReLU()],
  "position": [ALiBi(), ShawRelative(reach=2)],
  "joint": [Talking(), Differential()],
}


def table(parts: dict[str, list[Any]]) -> list[Any]:
  """All parts, each as (field, part)."""
  return [
    pytest.param(name, part, id=f"{name} {type(part).__name__}")
    for name, choices in parts.items()
    for part in choices
  ]


@pytest.mark.parametrize(("name", "part"), table(UNBLOCKABLE))
def test_who_needs_whole_rows_is_named(name, part):
  reason = f"{name} = {type(part).__name__} needs whole rows of scores"
  parts = Parts()._replace(**{name: part})
  assert obstacle("blockwise", parts) == reason
  message = f"evaluation = 'blockwise', but {reason}; allowed: 'auto', 'dense'"
  with pytest.raises(ValueError, match=f"{message}$"):
    choose("blockwise", parts, 8, 8)
  with pytest.raises(ValueError, match=message):
    Attention(**{name: part}, evaluation="blockwise")
  assert choose("auto", parts, 4096, 4096) == ("dense", reason)
  Attention(**{name: part}, evaluation="dense")


@pytest.mark.parametrize(("name", "part"), table(UNKNOWN))
def test_what_the_library_does_not_know_is_named(name, part):
  title = getattr(part, "__name__", type(part).__name__)
  parts = Parts()._replace(**{name: part})
  message = f"evaluation = 'library', but {name} = {title} is no part of"
  with pytest.raises(ValueError, match=f"{message} .*allowed: 'auto', 'dense'"):
    check_form("library", parts)
  with pytest.raises(ValueError, match=message):
    Attention(heads=2, **{name: part}, evaluation="library")


@pytest.mark.parametrize(("name", "part"), table(KNOWN))
def test_what_the_library_knows(name, part):
  parts = Parts()._replace(**{name: part})
  assert choose("library", parts, 8, 8).form == "library"
  assert choose("blockwise", parts, 8, 8) == ("blockwise", "it was asked for")


@pytest.mark.parametrize(
  ("table", "apart"), [(APART, True), (TOGETHER, False)], ids=["apart", "not"]
)
def test_heads_are_apart_where_no_part_knows_them_all(table, apart):
  for name, choices in table.items():
    for part in choices:
      assert heads_apart(Parts()._replace(**{name: part})) == apart


def test_heads_stay_together_where_nothing_was_measured(monkeypatch):
  assert heads_apart(Parts())
  monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
  assert not heads_apart(Parts())


@pytest.mark.parametrize("name", ["normalizer", "position"])
def test_an_error_lists_the_forms_that_are_left(name):
  part = UNKNOWN[name][0]
  with pytest.raises(
    ValueError, match="allowed: 'auto', 'dense', 'blockwise'$"
  ):
    check_form("library", Parts()._replace(**{name: part}))


@pytest.mark.parametrize(
  ("queries", "keys", "form"),
  [
    (64, 64, "dense"),
    (1, 8192, "dense"),
    (8192, 16, "dense"),
    (1024, 1024, "blockwise"),
    (4096, 8192, "blockwise"),
  ],
)
def test_long_sequences_are_blocked(queries, keys, form):
  choice = choose("auto", Parts(), queries, keys)
  assert choice.form == form
  assert f"{queries} queries and {keys} keys" in choice.why


def test_the_edges_of_a_graph_are_dense():
  choice = choose("auto", Parts(), 4096, 4096, edges=True)
  assert choice.form == "dense" and "edges of a graph" in choice.why
  message = "'blockwise' with places.edges; allowed: 'dense' or 'auto'"
  with pytest.raises(ValueError, match=message):
    choose("blockwise", Parts(), 4096, 4096, edges=True)
  assert choose("library", Parts(), 8, 8, edges=True).form == "library"


def test_lengths_without_a_number_have_no_blocks(unchecked):
  length, batch = jax.export.symbolic_shape("t, b")
  choice = choose("auto", Parts(), length, length)
  assert choice.form == "dense" and "lengths that are numbers" in choice.why
  with pytest.raises(ValueError, match="with t queries .* 'dense' or 'auto'"):
    choose("blockwise", Parts(), length, length)
  assert choose("auto", Parts(), 4096, 4096, heads=length).form == "dense"

  @jax.jit
  def run(q):
    return attention(q, q, q, mask=Causal(), evaluation="blockwise")

  given = jax.ShapeDtypeStruct((batch, 70, 2, 4), jnp.float32)
  exported = jax.export.export(run)(given)
  q = jnp.sin(jnp.arange(3 * 70 * 8.0)).reshape(3, 70, 2, 4)
  assert_close(exported.call(q), np.asarray(run(q)), level="core")
