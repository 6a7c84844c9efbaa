"""The table of attention: one line a variant."""

from research.attention.layer import Attention
from research.masks import Blocks, Causal, Full, Window
from research.positions.rotary import Rotary
from tests.cases import Case

CASES = {
  "causal": Case(
    Attention(), lambda d: 4 * d * d, reach=8, source=True, edges=True
  ),
  "windowed": Case(
    Attention(mask=Causal() & Window(3)),
    lambda d: 4 * d * d,
    reach=3,
    source=True,
    edges=True,
  ),
  "full": Case(
    Attention(heads=2, mask=Full()),
    lambda d: 4 * d * d,
    source=True,
    edges=True,
  ),
  "rotary": Case(
    Attention(heads=2, position=Rotary(), bias=True),
    lambda d: 4 * d * d + 4 * d,
    reach=8,
    source=True,
    edges=True,
  ),
  "blocks": Case(
    Attention(mask=Causal() & Blocks(3)),
    lambda d: 4 * d * d,
    source=True,
    edges=True,
    exceptions={
      "reach": "how far a query sees depends on its place in the block",
      "packing": "blocks are counted along the row, not along a segment",
    },
  ),
}
