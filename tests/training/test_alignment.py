"""Where decoders look: against loops over the weights of every block."""

import numpy as np
import pytest

from research.tasks.reverse import Reverse
from research.training.alignment import check_alignment
from research.training.plan import plan
from tests.training import problem
from tests.training.reversal import COUNT, MODEL, TRAINING, looked_at

LAYERS, LENGTH = 3, 5


def looped(judged, least):
  """Scores and weights [count a layers] of one token after the other.

  `judged` is given the weights [s] of all heads, of the token and of the one
  before it (or of the same, for the first), and the range of the token.
  Tokens before the one numbered `least` have no weight.
  """
  found = looked_at()
  batch, shape = found["batch"], (COUNT, LENGTH, LAYERS)
  score, weight = np.zeros(shape), np.zeros(shape)
  for layer in range(LAYERS):
    (heads,) = found["weights"][f"block_{layer}"]["cross"]["weights"]
    mean = np.asarray(heads, np.float64).mean(axis=1)  # [count a s]
    for row in range(COUNT):
      for token in range(int(batch.slices["size"][row, 0])):  # END is nowhere
        before = mean[row, max(token - 1, 0)]
        where = batch.alignment[row, token]
        score[row, token, layer] = judged(mean[row, token], before, *where)
        weight[row, token, layer] = token >= least
  return score, weight


def check(name, judged, least=0):
  """The measure has the scores of the loop, and tells their layers."""
  found = looked_at()[name]
  score, weight = looped(judged, least)
  np.testing.assert_array_equal(found["weight"], weight.reshape(COUNT, -1))
  known = found["weight"] > 0
  wanted = score.reshape(COUNT, -1)
  np.testing.assert_allclose(found["score"][known], wanted[known], atol=1e-5)
  layers = np.tile(np.arange(1, LAYERS + 1), (COUNT, LENGTH))
  np.testing.assert_array_equal(found["layer"], layers)
  return wanted[known]


def test_alignment_is_the_weight_on_the_true_range():
  scores = check("alignment", lambda now, before, a, b: sum(now[a:b]))
  assert scores.std() > 0.01


def test_monotonicity_is_the_share_of_tokens_sought_no_further_left():
  def judged(now, before, a, b):
    centre, last = (sum(i * w for i, w in enumerate(x)) for x in (now, before))
    assert abs(centre - last + 1e-3) > 1e-5, "no matter of rounding"
    return float(centre > last - 1e-3)

  assert 0.2 < check("monotonicity", judged, least=1).mean() < 0.9


def test_a_task_that_does_not_say_where_its_answers_stand_is_refused():
  plain = plan(Reverse(), MODEL, TRAINING)
  with pytest.raises(ValueError, match="alignment = True with Reverse; allo"):
    check_alignment(plain)
  with pytest.raises(ValueError, match="alignment = True with Before; allow"):
    check_alignment(problem.ready())
