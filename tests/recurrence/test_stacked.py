"""Recurrences one above the other against each of them alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.recurrence.bidirectional import Bidirectional
from research.recurrence.gru import GRU
from research.recurrence.lstm import LSTM
from research.recurrence.stacked import Stacked
from tests.recurrence.peer import PLACES, VALID, X
from tests.tolerance import assert_close

BOTH = Stacked((LSTM(), GRU(hidden=3)))


def test_each_reads_what_the_one_before_gave_out():
  variables = BOTH.init(jax.random.key(0), X, PLACES)
  first, second = (
    {"params": variables["params"][f"mixers_{i}"]} for i in range(2)
  )
  wanted = GRU(hidden=3).apply(second, LSTM().apply(first, X, PLACES), PLACES)
  y = BOTH.apply(variables, X, PLACES)
  assert_close(y, np.asarray(wanted), level="module")
  assert not np.asarray(y)[~VALID].any()
  at = jnp.array([[5, 0], [2, 5]])
  asked = np.take_along_axis(np.asarray(wanted), at[..., None], axis=1)
  y = BOTH.apply(variables, X, PLACES, at=at)
  assert_close(y, asked, level="module")


def test_states_add_up_and_are_kept_by_name():
  assert BOTH.state_size(4, 10) == 2 * 4 + 3
  variables = BOTH.init(jax.random.key(0), X, PLACES)
  _, new = BOTH.apply(variables, X, PLACES, mutable=["cache"])
  names = {name: {*kept} for name, kept in new["cache"].items()}
  assert names == {
    "mixers_0": {"cell", "hidden", "segment"},
    "mixers_1": {"hidden", "segment"},
  }


def test_it_is_causal_if_all_are():
  assert BOTH.causal
  assert not Stacked((GRU(), GRU(reverse=True))).causal
  Bidirectional(Stacked((GRU(), GRU())), LSTM(reverse=True), "sum")


def test_nothing_to_stack_is_refused():
  with pytest.raises(ValueError, match=r"mixers = \(\); allowed: one mixer or"):
    Stacked(())


@pytest.mark.parametrize(
  ("mixer", "name"),
  [
    (Stacked((GRU(), GRU(reverse=True))), "Stacked"),
    (Bidirectional(GRU(), GRU(reverse=True)), "Bidirectional"),
  ],
)
def test_only_what_is_causal_generates(mixer, name):
  variables = mixer.init(jax.random.key(0), X, PLACES)
  message = f"cache was asked of {name}, which is not causal; allowed: causal"
  with pytest.raises(ValueError, match=message):
    mixer.apply(variables, X, PLACES, mutable=["cache"])
