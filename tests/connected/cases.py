"""The table of fully connected baselines: one line a variant."""

from research.connected.pointwise import Pointwise
from research.connected.window import WindowConnected
from tests.cases import Case

CASES = {
  "pointwise": Case(Pointwise(), lambda d: 8 * d * d + 5 * d, reach=1),
  "pointwise_linear": Case(
    Pointwise(expansion=0), lambda d: d * d + d, reach=1
  ),
  "window": Case(
    WindowConnected(),
    lambda d: (3 * d + 1) * 4 * d + 4 * d * d + d,
    shortest=2,
  ),
  "window_causal": Case(
    WindowConnected(before=2, after=0, expansion=2, activation="silu"),
    lambda d: (3 * d + 1) * 2 * d + 2 * d * d + d,
    reach=3,
    shortest=3,
  ),
}
