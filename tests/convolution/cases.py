"""The table of convolutions: one line a variant."""

from research.attention.layer import Attention
from research.convolution.long import LongConvolution
from research.convolution.shifted import Shifted
from research.convolution.short import ShortConvolution
from tests.cases import Case


def _filter(d: int, bands: int = 8, hidden: int = 32) -> int:
  """The parameters of a long convolution's filter, with its skip."""
  network = (2 * bands + 2) * hidden + (hidden + 1) * hidden + hidden * d
  return network + d


CASES = {
  "short": Case(ShortConvolution(), lambda d: 3 * d * d + d + 3 * d, reach=3),
  "short_linear": Case(
    ShortConvolution(kernel_size=5, gate="linear"),
    lambda d: 3 * d * d + d + 5 * d,
    reach=5,
  ),
  "short_centred": Case(
    ShortConvolution(kernel_size=5, centred=True),
    lambda d: 3 * d * d + d + 5 * d,
  ),
  "long": Case(
    LongConvolution(), lambda d: 3 * d * d + d + _filter(d), reach=8
  ),
  "long_linear": Case(
    LongConvolution(horizon=16, bands=3, hidden=6, gate="linear"),
    lambda d: 3 * d * d + d + _filter(d, 3, 6),
    reach=8,
  ),
  "shifted": Case(
    Shifted(Attention(heads=2)), lambda d: 4 * d * d + 3 * d, reach=8
  ),
  "shifted_twice": Case(
    Shifted(Shifted(ShortConvolution(kernel_size=2), width=2)),
    lambda d: 3 * d * d + d + 7 * d,
    reach=5,
  ),
}
