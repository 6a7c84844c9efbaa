"""FLOPs counted over the jaxpr, and what a variant costs."""

import math

import jax
import jax.numpy as jnp
import pytest

from research.training.cost import costs, flops
from tests.training.problem import ready

A, B = jnp.ones((3, 4)), jnp.ones((4, 5))
ONE = 2 * 3 * 4 * 5
"""FLOPs of A B."""


def scanned(n):
  def step(carry, _):
    return carry, jnp.sum(carry @ B)

  return lambda a: jax.lax.scan(step, a, length=n)


def branched(a):
  return jax.lax.cond(
    a[0, 0] > 0, lambda a: a @ B, lambda a: (a @ B) @ (B.T @ B), a
  )


def looped(a):
  return jax.lax.while_loop(
    lambda a: jnp.sum(a @ B) < 0, lambda a: (a @ B) @ B.T, a
  )


SQUARE = 2 * 5 * 4 * 5
"""FLOPs of Bᵀ B."""
CASES = {
  "product": (lambda a: a @ B, ONE),
  "several axes": (lambda a: jnp.einsum("ij,ij->", a, a), 2 * 3 * 4),
  "no product": (lambda a: jnp.sin(a) + a, 0),
  "batched": (jax.vmap(lambda row: row @ B), ONE),
  "nested jit": (jax.jit(lambda a: jax.jit(lambda a: a @ B)(a) + 1), ONE),
  "scan": (scanned(7), 7 * ONE),
  "scan in scan": (
    lambda a: jax.lax.scan(lambda c, _: (c, scanned(3)(c)[1]), a, length=2),
    6 * ONE,
  ),
  "dearest branch": (branched, ONE + SQUARE + 2 * 3 * 5 * 5),
  "map in remat": (
    jax.checkpoint(lambda a: jax.lax.map(lambda row: row @ B, a)),
    ONE,
  ),
  "one round of a while": (looped, 3 * ONE),
  "own derivative": (jax.nn.relu, 0),
  "backward": (jax.grad(lambda a: jnp.sum((a @ B) ** 2)), 2 * ONE),
}


@pytest.mark.parametrize("name", CASES)
def test_flops_of_products_are_exact(name):
  function, expected = CASES[name]
  assert flops(jax.make_jaxpr(function)(A).jaxpr) == expected


def test_a_real_fourier_transform_costs_half_of_a_complex_one():
  x = jnp.ones((6, 16))
  complex_ = flops(jax.make_jaxpr(jnp.fft.fft)(x).jaxpr)
  assert complex_ == 6 * 5 * 16 * math.log2(16)
  real = flops(jax.make_jaxpr(jnp.fft.rfft)(x).jaxpr)
  back = flops(jax.make_jaxpr(jnp.fft.irfft)(jnp.fft.rfft(x)).jaxpr)
  assert real == back == complex_ / 2


def test_the_costs_of_a_variant():
  found = costs(ready())
  # Embedding, attention, two norms, feed-forward, last norm, readout.
  assert found.parameters == 64 + 256 + 32 + 2 * 72 + 16 + 72
  assert found.state_size == 2 * 8 * 8
  # Backward costs twice the forward, but for products with the embedding.
  t, d, a = 8, 8, 2
  projections = 2 * d * d * (2 * t + 2 * a)
  scores = 2 * 2 * a * t * d
  behind = 2 * a * (2 * d * d + d * 8)
  assert found.flops_per_example == 3 * (projections + scores + behind)
