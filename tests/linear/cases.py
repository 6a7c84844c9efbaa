"""The table of linear attention: one line a variant."""

from research.linear.elu import LinearAttention
from tests.cases import Case

CASES = {
  "elu": Case(LinearAttention(), lambda d: 4 * d * d, reach=8),
  "elu_chunked": Case(
    LinearAttention(heads=2, chunk=3), lambda d: 4 * d * d, reach=8
  ),
  "elu_bidirectional": Case(
    LinearAttention(heads=2, chunk=3, bidirectional=True),
    lambda d: 4 * d * d,
  ),
}
