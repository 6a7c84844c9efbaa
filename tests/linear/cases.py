"""The table of linear attention: one line a variant."""

from research.linear.delta_net import DeltaNet
from research.linear.elu import LinearAttention
from research.linear.gated_delta import GatedDeltaNet
from research.linear.gla import GatedLinearAttention
from research.linear.mamba2 import Mamba2
from research.linear.retention import Retention
from tests.cases import Case


def _mamba2(d: int, heads: int, state: int, taps: int) -> int:
  """The parameters of Mamba-2 that is as wide again as its input."""
  shared = 6 * d * d + 2 * state * d + heads * (d + 3) + 2 * d
  return shared + (2 * d + 2 * state) * (taps + 1 if taps else 0)


CASES = {
  "elu": Case(LinearAttention(), lambda d: 4 * d * d, reach=8),
  "elu_chunked": Case(
    LinearAttention(heads=2, chunk=3), lambda d: 4 * d * d, reach=8
  ),
  "elu_bidirectional": Case(
    LinearAttention(heads=2, chunk=3, bidirectional=True),
    lambda d: 4 * d * d,
  ),
  "retention": Case(Retention(heads=2, chunk=3), lambda d: 8 * d * d, reach=8),
  "retention_convolved": Case(
    Retention(expand_v=1.0, convolution=3, form="parallel"),
    lambda d: 5 * d * d + 3 * 3 * d,
    reach=8,
  ),
  "gla": Case(
    GatedLinearAttention(heads=2, chunk=3),
    lambda d: 4 * d * d + 16 * (d + d // 2) + d // 2 + d // 2,
    reach=8,
  ),
  "gla_convolved": Case(
    GatedLinearAttention(expand_k=1.0, rank=2, convolution=2),
    lambda d: 5 * d * d + 2 * (d + d) + d + d + 2 * 3 * d,
    reach=8,
  ),
  "mamba2": Case(
    Mamba2(heads=2, state=4, chunk=3),
    lambda d: _mamba2(d, 2, 4, 4),
    reach=8,
  ),
  "mamba2_plain": Case(
    Mamba2(heads=8, state=3, convolution=0, form="recurrent"),
    lambda d: _mamba2(d, 8, 3, 0),
    reach=8,
  ),
  "delta_net": Case(
    DeltaNet(heads=2, chunk=3, negative_eigenvalues=True),
    lambda d: 4 * d * d + 2 * d + d // 2 + 4 * 3 * d,
    reach=8,
  ),
  "delta_net_plain": Case(
    DeltaNet(convolution=0), lambda d: 4 * d * d + d + d, reach=8
  ),
  "gated_delta": Case(
    GatedDeltaNet(heads=2, chunk=3),
    lambda d: 8 * d * d + 4 * (d + 1) + d + 4 * 4 * d,
    reach=8,
  ),
  "gated_delta_plain": Case(
    GatedDeltaNet(
      heads=4,
      convolution=0,
      expand_v=1.0,
      negative_eigenvalues=True,
      form="parallel",
    ),
    lambda d: 5 * d * d + 8 * (d + 1) + d // 4,
    reach=8,
  ),
}
