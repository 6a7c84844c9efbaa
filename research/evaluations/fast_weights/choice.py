"""Which form of fast weights is taken, and in chunks of which length.

Milliseconds of processor time, forwards and backwards, on 2 busy cores of a
CPU, of decay by head and of the delta rule (b = h = 2, k = v = 32):

  tokens  parallel      chunks of 32  of 64         recurrent
  4       0.04, 0.05                                0.09, 0.08
  16      0.07, 0.07                                0.22, 0.13
  64      0.23, 0.35                                0.73, 0.62
  128     0.71, 1.29    0.43, 0.80    0.50, 0.84    1.47, 1.35
  512     11.1, 24.9    1.56, 3.13    1.58, 2.99    7.83, 7.13

and at 4,096 tokens (b = 1) 530, 1,684 in parallel, and 16, 68 in chunks of 64.
One token after the other is the way of a single one, and of no other number:
up to a chunk, chunks are all pairs.

  b, t, h, k = v     decay by   chunks of 16   of 32   of 64   of 128
  1, 4096, 4, 64     head       38             36      38      52
  1, 4096, 4, 64     channel    83             102     111     119
  1, 4096, 4, 64     delta      77             62      73      106
  8, 256, 4, 16      head       3.3            3.7     5.3
  8, 256, 4, 16      channel    6.6            7.9     9.9
  8, 256, 4, 16      delta      8.0            7.7     8.4
"""

from typing import NamedTuple, get_args

from research.evaluations.fast_weights.base import Evaluation, Form

CHUNK = 32
"""Tokens of a chunk where the caller has no wish."""


class Choice(NamedTuple):
  """A form, and the tokens worked on at once."""

  form: Form
  chunk: int


def choose(form: Evaluation, chunk: int | None, length: int) -> Choice:
  """The form and the chunk for a number of tokens.

  Raises:
    ValueError: no such form, or a chunk without tokens.
  """
  if form != "auto" and form not in get_args(Form):
    allowed = ", ".join(map(repr, get_args(Evaluation)))
    raise ValueError(f"form = {form!r}; allowed: {allowed}")
  if chunk is not None and chunk < 1:
    raise ValueError(f"chunk = {chunk}; allowed: at least 1, or None")
  if form == "auto":
    form = "recurrent" if length == 1 else "chunkwise"
  if form == "parallel":
    return Choice(form, length)
  return Choice(form, min(CHUNK if chunk is None else chunk, length))
