"""What is written token by token, against a loop over the whole model."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from research.attention.layer import Attention
from research.masks import Full
from research.models.encoder_decoder import Decoder
from research.places import Places
from research.tasks.transduction import BEGIN, END
from research.training.member import root
from research.training.written import written_one_by_one
from tests.training.reversal import (
  COUNT,
  SMALL,
  TASK,
  looked_at,
  random,
  ready,
)


def distance(a, b):
  """The recursion of Levenshtein 1966, as it stands."""

  @functools.cache
  def rest(i, j):
    if i == len(a) or j == len(b):
      return len(a) - i + len(b) - j
    changed = rest(i + 1, j + 1) + (a[i] != b[j])
    return min(changed, rest(i + 1, j) + 1, rest(i, j + 1) + 1)

  return rest(0, 0)


def loop(model, parameters, batch):
  """What the model writes to each source, read anew for every token."""

  @jax.jit
  def read(parameters, source, tokens, count):
    inside = jnp.arange(TASK.length)[None, :] < count
    inside = jnp.broadcast_to(inside, tokens.shape)
    index = jnp.arange(TASK.length)[None, :] * inside
    places = Places(index, inside.astype(jnp.int32))
    return model.apply({"params": parameters}, tokens, places, source=source)

  tokens = np.full((COUNT, TASK.length + 1), BEGIN)
  for count in range(1, TASK.length + 1):
    logits = read(parameters, batch.source, tokens[:, :-1], count)
    tokens[:, count] = np.argmax(logits[:, count - 1], axis=-1)
  rows = [row[1:].tolist() for row in tokens]
  return [row[: row.index(END)] if END in row else row for row in rows]


def check(found, lines, batch):
  """Edits, sizes and slices are those of these lines."""
  sizes = batch.slices["size"][:, 0]
  targets = [
    row[:size].tolist() for row, size in zip(batch.targets, sizes, strict=True)
  ]
  edits = [distance(*pair) for pair in zip(lines, targets, strict=True)]
  np.testing.assert_array_equal(found["edits"][:, 0], edits)
  np.testing.assert_array_equal(found["sizes"][:, 0], sizes)
  np.testing.assert_array_equal(found["size"][:, 0], sizes)
  assert len({*edits}) > 1 and len({*sizes.tolist()}) > 1


def test_edits_are_those_of_a_plain_loop():
  found = looked_at()
  batch = found["batch"]
  lines = loop(ready().model, found["parameters"], batch)
  assert len({*map(len, lines)}) > 1, "some end, others do not"
  check(found["written"], lines, batch)


def test_a_decoder_that_looks_ahead_writes_other_than_it_was_taught():
  decoder = Decoder(mixer=Attention(mask=Full()), layers=1, feed_forward=SMALL)
  made = ready(decoder=decoder)
  assert not made.model.causal

  @jax.jit
  def both():
    batch, parameters = random(made)
    key = root(jnp.uint32(0), "test")
    written = written_one_by_one(made, TASK, parameters, key, COUNT)
    taught = made.apply(parameters, batch)
    return batch, parameters, written, taught

  batch, parameters, written, taught = jax.tree.map(np.asarray, both())
  lines = loop(made.model, parameters, batch)
  check(written, lines, batch)
  forced = np.argmax(taught, axis=-1)
  told = [
    row[: len(line)].tolist() for row, line in zip(forced, lines, strict=True)
  ]
  assert told != lines
