"""The table of recurrences: one line a variant."""

from research.recurrence.bidirectional import Bidirectional
from research.recurrence.gru import GRU
from research.recurrence.lstm import LSTM
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
}
