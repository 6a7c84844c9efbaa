"""The table of convolutions: one line a variant."""

from research.attention.layer import Attention
from research.convolution.base_conv import BaseConv, LongBaseConv
from research.convolution.free import FreeConvolution
from research.convolution.hyena import Hyena
from research.convolution.long import LongConvolution
from research.convolution.plain import Convolution
from research.convolution.shifted import Shifted
from research.convolution.short import ShortConvolution
from tests.cases import Case


def _filter(d: int, bands: int = 8, hidden: int = 32) -> int:
  """The parameters of a long convolution's filter, with its skip."""
  network = (2 * bands + 2) * hidden + (hidden + 1) * hidden + hidden * d
  return network + d


def _hyena(d: int, order: int, hidden: int, layers: int, bands: int) -> int:
  """The parameters of Hyena: its projections and its filters."""
  outside = (order + 1) * d * (d + 1 + 3 + 1) + d * (d + 1)
  network = hidden * (2 * bands + 2) + layers * hidden * (hidden + 1) + hidden
  return outside + network + (hidden + 1) * (order - 1) * d


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
  "plain_dilated": Case(
    Convolution(dilation=2, groups=2, gate="silu"),
    lambda d: 3 * d * d // 2 + d + 2 * d * d + d,
    exceptions={"reach": "a dilated kernel leaves tokens out"},
  ),
  "plain_centred": Case(
    Convolution(kernel_size=5, centred=True), lambda d: 5 * d * d + d
  ),
  "base_conv": Case(BaseConv(), lambda d: d * d + d + 4 * d, reach=3),
  "base_conv_implicit": Case(
    LongBaseConv(horizon=16, hidden=4),
    lambda d: d * d + d + 4 * 4 + (4 + 1) * d,
    reach=8,
  ),
  "hyena": Case(Hyena(), lambda d: _hyena(d, 2, 64, 2, 1), reach=8),
  "hyena_deep": Case(
    Hyena(order=3, horizon=16, bands=2, hidden=6, layers=1),
    lambda d: _hyena(d, 3, 6, 1, 2),
    reach=8,
  ),
  "free": Case(
    FreeConvolution(length=40), lambda d: 3 * d * d + d + 40 * d, reach=8
  ),
}
