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

To write the matrix down takes as long for one row as for many. With as many
taps as tokens, the time of the matrix over that of transforms (alone, idle):

  length           1 row    2 rows    4 rows    8 rows   16 rows
  16                0.9       0.9       0.8       0.7       0.3
  32                1.3       1.7       1.4       0.6       0.4
  48                4.4       4.1       3.0       1.2       0.8
  64                15        7.4       4.8       1.1       0.7
"""

from typing import Literal

from research.evaluations.convolution.base import span
from research.evaluations.convolution.blocked import MATRIX, block_of
from research.evaluations.convolution.direct import UNROLLED
from research.record import check_literal

Form = Literal["direct", "blocked", "fft"]
Evaluation = Literal["auto", "direct", "blocked", "fft"]

_ROWS, _SHORT = 8, 16
"""From so many rows on, or up to so many tokens, the matrix is fast."""
_BLOCKS = 4
"""From so many blocks in a row on, they are faster than the row at once."""


def choose(taps: int, rows: int, length: int, dilation: int = 1) -> Form:
  """The fastest form for so many taps, rows and tokens, on any backend."""
  if taps <= UNROLLED:
    return "direct"
  if length <= MATRIX:
    return "blocked" if rows >= _ROWS or length <= _SHORT else "fft"
  blocks = length // block_of(span(taps, dilation), length)
  return "blocked" if blocks >= _BLOCKS else "fft"


def check_form(form: str) -> None:
  """Refuses, with a ValueError, what is no form."""
  check_literal("form", form, Evaluation)
