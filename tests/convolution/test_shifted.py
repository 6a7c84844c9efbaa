"""A shift before another mixer: both parts, whole and streamed."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.attention.layer import Attention
from research.convolution.shifted import Shifted
from research.masks import Full
from research.places import Places, whole
from tests.tolerance import assert_close

B, T, D = 2, 6, 4
X = jnp.asarray(np.random.default_rng(3).normal(size=(B, T, D)), jnp.float32)
SEGMENTS = jnp.array([[1] * 6, [1, 1, 2, 2, 0, 0]])
PLACES = Places(whole(X).positions, SEGMENTS)


def test_the_mixer_reads_the_shifted_tokens():
  mixer = Shifted(Attention(heads=2))
  x = jnp.where(SEGMENTS[..., None] > 0, X, 0.0)
  variables = mixer.init(jax.random.key(0), x, PLACES)
  parameters = variables["params"]
  assert set(parameters) == {"filter", "mixer"}
  shifted = np.zeros((B, T, D))
  for b, t in np.ndindex(B, T):
    for tap in range(3):
      if t >= tap and SEGMENTS[b, t] == SEGMENTS[b, t - tap] > 0:
        shifted[b, t] += parameters["filter"][tap] * x[b, t - tap]
  inner = {"params": parameters["mixer"]}
  shifted = jnp.asarray(shifted, jnp.float32)
  wanted = Attention(heads=2).apply(inner, shifted, PLACES)
  y = mixer.apply(variables, x, PLACES)
  assert_close(y, np.asarray(wanted), level="module")


def test_both_parts_have_a_cache_of_their_own():
  mixer = Shifted(Shifted(Attention(), width=2), width=4)
  assert mixer.state_size(D, T) == (3 + 1 + 2 * T) * D

  def start() -> Any:
    variables = mixer.init(jax.random.key(0), X, whole(X))
    return mixer.apply(variables, X, whole(X), mutable=["cache"])[1]

  cache = jax.eval_shape(start)["cache"]
  assert cache["inputs"].shape == (B, 3, D)
  assert cache["mixer"]["inputs"].shape == (B, 1, D)
  assert cache["mixer"]["mixer"]["keys"].shape == (B, 1, T, D)


def test_it_is_as_causal_as_its_mixer():
  assert Shifted(Attention()).causal
  mixer = Shifted(Attention(mask=Full()))
  assert not mixer.causal
  variables = mixer.init(jax.random.key(0), X, whole(X))
  with pytest.raises(ValueError, match="Shifted, which is not causal"):
    mixer.apply(variables, X, whole(X), mutable=["cache"])


def test_what_its_mixer_could_read_it_refuses():
  mixer = Shifted(Attention())
  variables = mixer.init(jax.random.key(0), X, whole(X))
  with pytest.raises(ValueError, match="source was given to Shifted"):
    mixer.apply(variables, X, whole(X), source=(X, whole(X)))
  edges = jnp.ones((B, T, T), bool)
  places = Places(PLACES.positions, PLACES.segments, edges)
  with pytest.raises(ValueError, match="edges was given to Shifted"):
    mixer.apply(variables, X, places)


def test_a_width_of_nothing_is_refused():
  with pytest.raises(ValueError, match="width = 0; allowed: 1 or more"):
    Shifted(Attention(), width=0)
