"""KERPLE against the paper's kernels in float64, value and gradient."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.positions.kerple import Kerple
from tests.positions.problem import pairs
from tests.tolerance import assert_close

QUERIES = np.array([[4, 9], [0, 30]])
KEYS = np.array([[0, 4, 9, 11], [2, 3, 30, 31]])
DISTANCE = np.abs(QUERIES[:, :, None] - KEYS[:, None, :])[:, None] * 1.0
H = 2
RAW = {"r1": np.array([-1.5, 0.5]), "r2": np.array([0.25, -2.0])}
SEED = np.random.default_rng(3).normal(size=(2, H, 2, 4))


def bias_of(encoding: Kerple, parameters: Any) -> Any:
  q, k = jnp.zeros((2, 2, H, 4)), jnp.zeros((2, 4, H, 4))
  variables, where = {"params": parameters}, pairs(QUERIES, KEYS)
  return encoding.apply(variables, q, k, where, method="bias")


def started(kind: str, heads: int) -> Any:
  q, k = jnp.zeros((1, 1, heads, 4)), jnp.zeros((1, 1, heads, 4))
  where = pairs([[0]], [[0]])
  variables = Kerple(kind).init(jax.random.key(0), q, k, where, method="bias")
  return variables["params"]


def softplus(x: np.ndarray) -> np.ndarray:
  return np.log1p(np.exp(x))


def sigmoid(x: np.ndarray) -> np.ndarray:
  return 1 / (1 + np.exp(-x))


def rates(kind: str, raw: Any) -> tuple[np.ndarray, np.ndarray]:
  """r1 and r2 of every head."""
  raw = {name: np.asarray(value, np.float64) for name, value in raw.items()}
  if kind == "log":
    return 0.01 + softplus(raw["r1"]), 0.01 + softplus(raw["r2"])
  return 0.01 + softplus(raw["r1"]), 0.01 + 1.99 * sigmoid(raw["r2"])


def reference(kind: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
  """The biases, and the gradients of their sum weighed by SEED."""
  r1, r2 = (r[None, :, None, None] for r in rates(kind, RAW))
  d, inside = DISTANCE, np.maximum(DISTANCE, 1.0)
  if kind == "log":
    curve, slope = np.log(1 + r2 * d), d / (1 + r2 * d)
    outer = sigmoid(RAW["r2"])
  else:
    curve, slope = d**r2, d**r2 * np.log(inside)
    outer = 1.99 * sigmoid(RAW["r2"]) * (1 - sigmoid(RAW["r2"]))
  gradients = {
    "r1": -(SEED * curve).sum(axis=(0, 2, 3)) * sigmoid(RAW["r1"]),
    "r2": -(SEED * r1 * slope).sum(axis=(0, 2, 3)) * outer,
  }
  return -r1 * curve, gradients


@pytest.mark.parametrize("kind", ["log", "power"])
def test_curves_are_those_of_the_paper(kind):
  parameters = {
    name: jnp.asarray(raw, jnp.float32) for name, raw in RAW.items()
  }
  bias, back = jax.vjp(lambda tree: bias_of(Kerple(kind), tree), parameters)
  (gradients,) = back(jnp.asarray(SEED, jnp.float32))
  wanted = reference(kind)
  assert_close(bias, wanted[0], level="module")
  assert_close(gradients, wanted[1], level="module", gradient=True)


@pytest.mark.parametrize("kind", ["log", "power"])
@pytest.mark.parametrize("raw", [-1e4, 1e4])
def test_constraints_hold_whatever_is_learned(kind, raw):
  parameters = {name: jnp.full((H,), raw, jnp.float32) for name in RAW}
  bias = np.asarray(bias_of(Kerple(kind), parameters))
  far = DISTANCE[:, 0] > 0
  assert np.isfinite(bias).all()
  assert (bias[:, 0][far] < 0).all() and (bias[:, 0][~far] == 0).all()
  if kind == "power":
    # −r1 · d^2 at most, with r1 the one learned.
    assert (-bias[:, 0] <= 1.001 * max(raw, 0.01) * DISTANCE[:, 0] ** 2).all()


@pytest.mark.parametrize("kind, high", [("log", (2, 1)), ("power", (1, 2))])
def test_heads_start_spread_over_the_range(kind, high):
  for found, limit in zip(rates(kind, started(kind, 500)), high, strict=True):
    assert 0.02 * limit < found.min() < 0.1 * limit
    assert 0.9 * limit < found.max() < 0.99 * limit
    assert abs(found.mean() - limit / 2) < 0.1 * limit


@pytest.mark.usefixtures("unchecked")
def test_refused():
  with pytest.raises(ValueError, match="kind = 'exp'; allowed: 'log'"):
    Kerple("exp")
