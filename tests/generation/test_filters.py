"""Filters against NumPy, and what is drawn against what was to be drawn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from research.generation.filters import most_likely, nucleus
from research.generation.generate import generate
from research.generation.sampling import Sampling
from research.models.sequence import SequenceModel
from research.places import whole
from research.recurrence.gru import GRU
from tests.tolerance import assert_close

ROWS, C, N = 512, 6, 4
LOGITS = np.random.default_rng(0).normal(size=(40, 11)).astype(np.float32) * 2


def kept_most_likely(row: np.ndarray, count: int) -> set[int]:
  return {i for i, x in enumerate(row) if sum(row > x) < count}


def kept_nucleus(row: np.ndarray, share: float) -> set[int]:
  p = np.exp(row.astype(float)) / np.exp(row.astype(float)).sum()
  kept, total = set(), 0.0
  for token in sorted(range(len(row)), key=lambda i: -p[i]):
    if total >= share:
      break
    kept.add(token)
    total += p[token]
  return kept


@pytest.mark.parametrize(
  ("function", "plain", "values"),
  [
    (most_likely, kept_most_likely, (1, 2, 5, 11)),
    (nucleus, kept_nucleus, (1e-46, 1e-6, 0.3, 0.9, 0.999)),
  ],
)
def test_filters_keep_what_numpy_keeps(function, plain, values):
  for value in values:
    found = np.asarray(function(jnp.asarray(LOGITS), value))
    for row, logits in zip(found, LOGITS, strict=True):
      kept = {*np.flatnonzero(np.isfinite(row))}
      assert kept == plain(logits, value)
      assert all(row[i] == logits[i] for i in kept)


def test_tokens_alike_are_kept_together():
  logits = jnp.array([[0.0, 2.0, 1.0, 1.0, -1.0]])
  wanted = [[False, True, True, True, False]]
  assert np.isfinite(most_likely(logits, 2)).tolist() == wanted
  assert np.isfinite(nucleus(logits, 0.6)).tolist() == wanted


def constant(bias: np.ndarray) -> tuple[SequenceModel, dict]:
  """A model that gives the same logits behind every token."""
  model = SequenceModel(
    GRU(hidden=2), layers=1, width=4, vocabulary=C, classes=C
  )
  token = jnp.zeros((1, 1), jnp.int32)
  shapes = jax.eval_shape(model.init, jax.random.key(0), token, whole(token))
  zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), shapes)
  zeros["params"]["readout"]["bias"] = jnp.asarray(bias, jnp.float32)
  return model, zeros


BIAS = np.log([0.3, 0.25, 0.2, 0.15, 0.07, 0.03])


@pytest.mark.parametrize(
  ("how", "kept"),
  [
    (Sampling(), 6),
    (Sampling(temperature=0.7, top_k=4), 4),
    (Sampling(temperature=1.5, top_k=5, top_p=0.6), 3),
  ],
  ids=["plain", "top-k", "all"],
)
def test_tokens_are_as_frequent_as_they_are_likely(how, kept):
  model, variables = constant(BIAS)
  found = generate(
    model,
    variables,
    jnp.zeros((ROWS, 1), jnp.int32),
    how=how,
    length=N,
    key=jax.random.key(7),
  )
  tokens = np.asarray(found.tokens)
  p = np.exp(BIAS / how.temperature)
  p[kept:] = 0.0
  p /= p.sum()
  seen = np.bincount(tokens.ravel(), minlength=C)
  assert not seen[kept:].any()
  wanted = p[:kept] * tokens.size
  distance = ((seen[:kept] - wanted) ** 2 / wanted).sum()
  assert distance < scipy.stats.chi2.ppf(0.999, kept - 1)
  # Tokens are drawn apart, from row to row and from step to step.
  alike = (p**2).sum()
  error = 4 * (alike * (1 - alike) / tokens[1:].size) ** 0.5
  for one, other in (
    (tokens[1:], tokens[:-1]),
    (tokens[:, 1:], tokens[:, :-1]),
  ):
    assert abs((one == other).mean() - alike) < error * 1.2
  # The score is the model's own, whatever was filtered.
  assert_close(found.scores, BIAS[tokens].sum(axis=1), level="model")


def test_the_key_alone_decides():
  model, variables = constant(BIAS)
  prompt = jnp.zeros((ROWS, 1), jnp.int32)

  def draw(seed: int) -> np.ndarray:
    key = jax.random.key(seed)
    found = generate(
      model, variables, prompt, how=Sampling(), length=N, key=key
    )
    return np.asarray(found.tokens)

  assert (draw(7) == draw(7)).all()
  assert (draw(7) != draw(8)).any()


@pytest.mark.parametrize("temperature", [1.2e-38, 1e-30])
def test_the_coldest_draw_what_is_most_likely(temperature):
  logits = jnp.array([[1.0, 3.0, -2e38], [-3e38, 3e38, 0.0]])
  found = jax.nn.softmax(Sampling(temperature=temperature).logits(logits))
  np.testing.assert_array_equal(found, [[0.0, 1.0, 0.0]] * 2)


def test_the_hottest_draw_evenly():
  found = jax.nn.softmax(Sampling(temperature=3e38).logits(jnp.asarray(LOGITS)))
  assert_close(found, np.full(LOGITS.shape, 1 / 11), level="core")
