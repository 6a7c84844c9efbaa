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

from typing import NamedTuple

from research.evaluations.fast_weights.base import Decay, Evaluation, Form
from research.record import check_literal

_ONE = 64
"""So many tokens are one chunk, where the caller has no wish: by `bench forms`
it takes 0.32, 0.82 and 0.69 ms of decay by head and channel and of the delta
rule, in chunks 0.38, 0.87 and 0.95; of 128 tokens 0.95, 1.79 and 2.33 against
0.76, 1.63 and 1.76."""

_CHUNK = 32
"""Tokens of a chunk where the caller has no wish."""

_CHUNK_BY_CHANNEL = 16
"""The same for a decay of each channel."""


class Choice(NamedTuple):
  """A form, and the tokens worked on at once."""

  form: Form
  chunk: int


def choose(
  form: Evaluation, chunk: int, length: int, log_decay: Decay = None
) -> Choice:
  """The form and the chunk for a number of tokens.

  Args:
    form: what was asked for.
    chunk: what was asked for; 0 for what was measured to be fast.
    length: t.
    log_decay: of the rule; only its axes count.

  Raises:
    ValueError: no such form, or a chunk below 0.
  """
  check_literal("form", form, Evaluation)
  if chunk < 0:
    raise ValueError(f"chunk = {chunk}; allowed: 0 or more")
  if form == "auto":
    form = _fastest(chunk, length)
  if form == "parallel":
    return Choice(form, length)
  by_channel = log_decay is not None and log_decay.ndim == 4
  chunk = chunk or (_CHUNK_BY_CHANNEL if by_channel else _CHUNK)
  return Choice(form, min(chunk, length))


def _fastest(chunk: int, length: int) -> Form:
  if length == 1:
    return "recurrent"
  return "parallel" if not chunk and length <= _ONE else "chunkwise"
