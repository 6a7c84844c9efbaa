"""Recurrences whose states are wider than their tokens, block by block."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.evaluations.diagonal.scan import expanded
from tests.complex_step import slopes
from tests.evaluations.test_diagonal import FORMS, SEGMENTS, B, N, T
from tests.tolerance import assert_close

E = 5
generator = np.random.default_rng(6)
WIDE = {
  "step": np.abs(generator.normal(size=(B, T, E))).astype(np.float32),
  "write": generator.normal(size=(B, T, N)).astype(np.float32),
  "read": generator.normal(size=(B, T, N)).astype(np.float32),
  "value": generator.normal(size=(B, T, E)).astype(np.float32),
}
RATE = np.linspace(0.0, 3.0, E * N, dtype=np.float32).reshape(E, N)
WIDE_SEED = generator.normal(size=(B, T, E)).astype(np.float32)
WIDE_SEED[SEGMENTS == 0] = 0


def make(rate: Any, token: Any) -> tuple[jax.Array, jax.Array]:
  """a = exp(−Δ rate) and x = Δ v wᵀ, [e n]."""
  value = token["step"] * token["value"]
  a = jnp.exp(-token["step"][:, None] * rate)
  return a, value[:, None] * token["write"][None]


def read(h: Any, token: Any) -> jax.Array:
  """y = h r, [e]."""
  return h @ token["read"]


def wide(tokens: Any, rate: Any) -> np.ndarray:
  """The same, one row and one token at a time."""
  tokens = {name: np.asarray(leaf) for name, leaf in tokens.items()}
  kind = np.result_type(*tokens.values(), rate, np.float64)
  y = np.zeros((B, T, E), kind)
  for row in range(B):
    h, last = np.zeros((E, N), kind), 0
    for t in range(T):
      step, write, out, value = (
        tokens[name][row, t] for name in ("step", "write", "read", "value")
      )
      if SEGMENTS[row, t]:
        h = h if SEGMENTS[row, t] == last else np.zeros((E, N), kind)
        h = np.exp(-step[:, None] * rate) * h
        h = h + (step * value)[:, None] * write[None]
        last = SEGMENTS[row, t]
        y[row, t] = h @ out
  return y


def grown(form: Any, block: int, tokens: Any, rate: Any, **given: Any) -> Any:
  """What the engine makes of wide states."""
  return expanded(
    tokens,
    jnp.asarray(SEGMENTS),
    lambda tokens: make(rate, tokens),
    read,
    form=form,
    block=block,
    **given,
  )


def test_wide_states_agree_with_float64_in_blocks_of_any_length():
  @jax.jit
  def run() -> Any:
    results = []
    for form, block in zip(FORMS, (5, 7, 23), strict=True):
      call = lambda *given, f=form, n=block: grown(f, n, *given)[0]  # noqa: E731
      y, back = jax.vjp(call, WIDE, RATE)
      results.append((y, back(jnp.asarray(WIDE_SEED))))
    return results

  exact = jax.tree.map(np.float64, (WIDE, RATE))
  wanted = wide(*exact)
  wanted_slopes = slopes(wide, exact, WIDE_SEED)
  for y, gradients in run():
    y = jnp.where(SEGMENTS[..., None] > 0, y, 0)
    assert_close(y, wanted, level="core")
    assert_close(gradients, wanted_slopes, level="core", gradient=True)


@pytest.mark.parametrize("form", FORMS)
def test_wide_states_are_never_held_for_all_tokens(form):
  t, block = 512, 32
  tokens = {
    name: jnp.zeros((B, t, leaf.shape[2])) for name, leaf in WIDE.items()
  }

  def loss(tokens: Any, rate: Any) -> Any:
    y, _ = expanded(
      tokens,
      jnp.ones((B, t), int),
      lambda tokens: make(rate, tokens),
      read,
      form=form,
      block=block,
    )
    return jnp.sum(y)

  jaxpr = jax.make_jaxpr(jax.grad(loss, argnums=(0, 1)))(tokens, RATE)
  largest = max(_sizes(jaxpr.jaxpr))
  # The inputs themselves, or the states of one block, or those between blocks.
  assert largest <= max(
    B * t * E, B * (block + 1) * E * N, B * t // block * E * N
  )
  assert largest < B * t * E * N / 3


def test_one_token_more_than_a_block_makes_two_of_half_a_block():
  tokens = {
    name: jnp.zeros((B, 65, leaf.shape[2])) for name, leaf in WIDE.items()
  }
  segments = jnp.ones((B, 65), int)

  def run(tokens: Any) -> Any:
    return expanded(
      tokens,
      segments,
      lambda tokens: make(RATE, tokens),
      read,
      form="associative",
      block=64,
    )[0]

  jaxpr = jax.make_jaxpr(run)(tokens)
  # The states of 33 tokens and one before them, where a block has 64.
  assert max(_sizes(jaxpr.jaxpr)) <= B * 34 * E * N


def _sizes(jaxpr: Any) -> list[int]:
  """The numbers in every array of a program, inner programs included."""
  sizes = []
  for equation in jaxpr.eqns:
    sizes += [out.aval.size for out in equation.outvars]
    for inner in jax.tree.leaves(
      list(equation.params.values()), is_leaf=lambda x: hasattr(x, "eqns")
    ):
      inner = getattr(inner, "jaxpr", inner)
      if hasattr(inner, "eqns"):
        sizes += _sizes(inner)
  return sizes


@pytest.mark.usefixtures("unchecked")
def test_a_block_without_tokens_is_refused():
  with pytest.raises(ValueError, match="block = 0; allowed: 1 or more"):
    grown("auto", 0, WIDE, RATE)
