"""A token that there is not does not pass unseen, but on padding."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.models.tokens import readable
from research.places import Places
from tests.generation.subjects import GRU, attentive, small

V = 7
TOKENS = jnp.array([[2, 3, 4], [4, 5, 0]])
RAGGED = Places(
  jnp.array([[0, 1, 2], [0, 1, 0]]), jnp.array([[1] * 3, [1, 1, 0]])
)
MODELS = {
  "learned": small(GRU(), layers=1),
  "one-hot": small(GRU(), layers=1, embedding="one_hot"),
  "source": attentive(),
  "target": attentive(),
}


def outputs(name: str, tokens: jax.Array) -> np.ndarray:
  """Of all rows, `tokens` being what `name` says."""
  model, given = MODELS[name], {}
  if name in ("source", "target"):
    other = TOKENS, RAGGED
    given = {"source": (tokens, RAGGED) if name == "source" else other}
  read = TOKENS if name == "source" else tokens

  @jax.jit
  def run():
    variables = model.init(jax.random.key(0), read, RAGGED, **given)
    return model.apply(variables, read, RAGGED, **given)

  return np.asarray(run())


@pytest.mark.parametrize("token", [-1, V, V + 1, -V])
@pytest.mark.parametrize("name", MODELS)
def test_unknown_tokens(name, token):
  y = outputs(name, TOKENS.at[0, 1].set(token))
  assert np.isnan(y[0]).any() and np.isfinite(y[1]).all()
  valid = np.asarray(RAGGED.valid)
  padded = outputs(name, TOKENS.at[1, 2].set(token))
  assert np.isfinite(padded).all()
  np.testing.assert_array_equal(padded[valid], outputs(name, TOKENS)[valid])


@pytest.mark.parametrize("dtype", [jnp.int32, jnp.int8, jnp.int16])
def test_rows_of_a_table(dtype):
  tokens = jnp.array([[0, V - 1, V], [V + 1, 3, V]], dtype)
  found = readable(tokens, RAGGED, V)
  np.testing.assert_array_equal(found, [[0, V - 1, V], [V, 3, 0]])
  np.testing.assert_array_equal(readable(tokens, RAGGED, 256)[0], tokens[0])
