"""PyTorch's contenders are of our size, and can be called.

Timing itself is no test.
"""

import functools
import math

import jax
import jax.numpy as jnp
import pytest

from research.bench import decoding, lab, transformer
from research.bench.device import has_torch
from research.bench.size import Size
from research.places import whole
from research.training.member import initialise, members

torch = pytest.importorskip("torch", reason="these are contenders of PyTorch")

from research.bench import (  # noqa: E402
  torch_decoding,
  torch_peer,
  torch_transformer,
)

SAID = pytest.mark.filterwarnings(
  "ignore:enable_nested_tensor is True:UserWarning"
)
"""What `nn.Transformer` says of its encoder's inner form, at any size."""

SMALL = {"LAYERS": 1, "WIDTH": 4, "HEADS": 2}


def ours(tree):
  return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(tree))


def theirs(*modules):
  return sum(p.numel() for module in modules for p in module.parameters())


def trained(plan):
  """The parameters that a plan begins with, by their shapes."""
  member = jax.tree.map(lambda leaf: leaf[0], members(plan.training))
  return jax.eval_shape(functools.partial(initialise, plan), member).parameters


@pytest.mark.parametrize(
  ("kind", "count"), [("decoder", 3_450_880), ("pair", 7_804_416)]
)
def test_decoders_have_as_many_parameters(kind, count):
  first = jnp.zeros((1, 1), jnp.int32)
  source = jnp.zeros((1, decoding.SOURCE), jnp.int32)
  more = {"source": (source, whole(source))} if kind == "pair" else {}
  model = decoding.model(kind)
  made = jax.eval_shape(
    lambda key: model.init(key, first, whole(first), **more), jax.random.key(0)
  )
  with torch.device("meta"):  # shapes alone
    halves = [half for half in torch_decoding.halves(kind) if half is not None]
  assert ours(made["params"]) == theirs(*halves) == count


@SAID
@pytest.mark.parametrize(
  ("size", "count"),
  [
    (transformer.SIZES["small"], 11_453_440),
    (transformer.SIZES["base"], 101_008_520),
  ],
)
def test_transformers_have_as_many_parameters(size, count):
  with torch.device("meta"):
    peer = torch_transformer.Model(size)
  assert ours(trained(transformer.step_plan(size))) == theirs(peer) == count


def test_peers_that_know_no_gpu_are_not_timed_beside_one(monkeypatch):
  monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
  assert has_torch() and has_torch(on_gpu=True)
  monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
  for there in (False, True):
    monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
    assert not has_torch() and has_torch(on_gpu=True) == there


def test_models_of_recall_have_as_many_parameters():
  size = Size()
  with torch.device("meta"):
    peer = torch_peer.Model(size, "none")
  assert ours(trained(lab.training_plan(size))) == theirs(peer)


@pytest.mark.parametrize("kind", ["decoder", "pair"])
def test_a_peer_writes_tokens(kind, monkeypatch):
  sizes = {**SMALL, "VOCABULARY": 5, "TOKENS": 3, "SOURCE": 2}
  for name, size in sizes.items():
    monkeypatch.setattr(torch_decoding, name, size)
  tokens = torch_decoding.prepare(kind, 2, torch.get_num_threads())
  assert tokens(13) == 12  # two lines of two rows of three


@SAID
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_peer_takes_steps(precision):
  size = transformer.Size(1, 4, 2, 3, 5, 4, precision)
  assert torch_transformer.prepare(size)(2) == 2
