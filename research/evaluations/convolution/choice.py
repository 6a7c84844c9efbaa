"""Which form of the depthwise convolution is taken, from measurements.

Milliseconds forwards and backwards in a scanned step (d = 64, 4,096 tokens or
one row, rows of one segment, 2 cores that were shared; the lowest of 9):

  length, taps     direct   blocked    fft
  64, 3              0.4       2.1     2.4
  64, 10             1.9       1.9     2.0
  64, 16             4.4       2.0     2.7
  64, 64              —        1.8     2.0   (24, 24: 1.1 and 2.0)
  256, 6             0.6       2.0     2.1
  256, 16            4.8       2.5     2.6
  1,024, 10          5.7       6.7     8.4
  1,024, 16         13.9       6.6     9.4
  1,024, 128          —        2.4     3.0
  8,192, 6           1.4       3.8     7.1
  8,192, 32           —       14.0    24.2
  8,192, 128          —        6.7    10.9

Of one line alone can be compared: the load changed from line to line. With as
many taps as tokens, blocks are the row, so that both transforms are the same;
the matrix of a short row is as fast at 64 tokens, 1.4 times slower at 96 and
50 times at 256.
"""

from typing import Literal

from research.evaluations.convolution.base import span
from research.evaluations.convolution.blocked import MATRIX, block_of
from research.evaluations.convolution.direct import UNROLLED
from research.record import check_literal

Form = Literal["direct", "blocked", "fft"]
Evaluation = Literal["auto", "direct", "blocked", "fft"]

_BLOCKS = 4
"""From so many blocks in a row on, they are faster than the row at once."""


def choose(taps: int, length: int, dilation: int = 1) -> Form:
  """The fastest form for so many taps and tokens, on any backend."""
  if taps <= UNROLLED:
    return "direct"
  blocks = length // block_of(span(taps, dilation), length)
  return "blocked" if length <= MATRIX or blocks >= _BLOCKS else "fft"


def check_form(form: str) -> None:
  """Refuses, with a ValueError, what is no form."""
  check_literal("form", form, Evaluation)
