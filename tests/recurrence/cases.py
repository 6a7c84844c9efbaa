"""The table of recurrences: one line a variant."""

from research.recurrence.bidirectional import Bidirectional
from research.recurrence.elman import Elman
from research.recurrence.gru import GRU
from research.recurrence.lru import LRU
from research.recurrence.lstm import LSTM
from research.recurrence.mamba import Mamba
from research.recurrence.min_gru import MinGRU
from research.recurrence.s4d import S4D
from research.recurrence.s5 import S5
from research.recurrence.stacked import Stacked
from tests.cases import Case

CASES = {
  "lstm": Case(LSTM(), lambda d: 4 * d * (2 * d + 1), reach=8),
  "lstm_wide": Case(
    LSTM(hidden=12), lambda d: 4 * 12 * (d + 12 + 1) + 12 * d, reach=8
  ),
  "gru": Case(GRU(), lambda d: 3 * d * (2 * d + 1) + d, reach=8),
  "gru_reverse": Case(
    GRU(hidden=6, reverse=True), lambda d: 3 * 6 * (d + 6 + 1) + 6 + 6 * d
  ),
  "bidirectional": Case(
    Bidirectional(GRU(), LSTM(reverse=True)),
    lambda d: 3 * d * (2 * d + 1) + d + 4 * d * (2 * d + 1) + 2 * d * d,
  ),
  "elman": Case(Elman(remat="root"), lambda d: d * (2 * d + 1), reach=8),
  "elman_relu": Case(
    Elman(hidden=12, activation="relu", identity=True),
    lambda d: 12 * (d + 12 + 1) + 12 * d,
    reach=8,
  ),
  "stacked": Case(
    Stacked((GRU(hidden=6, remat=3), LSTM())),
    lambda d: 3 * 6 * (d + 6 + 1) + 6 + 6 * d + 4 * d * (2 * d + 1),
    reach=8,
  ),
  "s4d": Case(
    S4D(state=4), lambda d: d * (2 * 4 + 2) + 2 * d * (d + 1), reach=8
  ),
  "s4d_steps": Case(
    S4D(
      form="serial", state=6, frequencies="inverse", discretization="bilinear"
    ),
    lambda d: d * (2 * 6 + 2) + 2 * d * (d + 1),
    reach=8,
  ),
  "s5": Case(
    S5(state=8, blocks=2),
    lambda d: 12 + 2 * 8 * d + d + d * (d + 1),
    reach=8,
  ),
  "lru": Case(
    LRU(state=6, r_min=0.5),
    lambda d: 3 * 6 + 4 * 6 * d + d + 2 * d * (d + 1),
    reach=8,
  ),
  "mamba": Case(
    Mamba(state=3),
    lambda d: 2 * d * (3 * d + 4 + 1 + 2 * 3 + 2 * -(-d // 16) + 1 + 3 + 1),
    reach=8,
  ),
  "mamba_reverse": Case(
    Mamba(form="chunked", reverse=True, expand=1, state=2, rank=3),
    lambda d: d * (3 * d + 4 + 1 + 3 + 2 * 2 + 3 + 1 + 2 + 1),
  ),
  "min_gru": Case(MinGRU(), lambda d: 2 * d * (d + 1), reach=8),
  "min_gru_positive": Case(
    MinGRU(form="associative", hidden=12, candidate="positive"),
    lambda d: 2 * 12 * (d + 1) + 12 * d,
    reach=8,
  ),
}
