"""A training record refuses what makes no sense, naming field and value."""

import math

import pytest

from research.training.record import Training

CASES = [
  ("steps", 0, "1 or more"),
  ("batch", -1, "1 or more"),
  ("seeds", 0, "1 or more"),
  ("evaluate_every", 0, "1 or more"),
  ("validation", 0, "1 or more"),
  ("test", 0, "1 or more"),
  ("examples", -1, "0 or more"),
  ("warmup", -1, "0 or more"),
  ("weight_decay", -0.1, "0 or more"),
  ("weight_decay", math.nan, "0 or more"),
  ("learning_rates", (), "one or more positive, finite"),
  ("learning_rates", (0.1, 0.0), "one or more positive, finite"),
  ("learning_rates", (math.inf,), "one or more positive, finite"),
  ("learning_rates", (math.nan, 0.1), "one or more positive, finite"),
  ("learning_rates", (0.1, 0.1), "different"),
  ("clip", 0.0, "above 0"),
  ("beta1", 1.0, "0 to below 1"),
  ("beta2", -0.1, "0 to below 1"),
  ("label_smoothing", 1.0, "0 to below 1"),
  ("label_smoothing", -0.1, "0 to below 1"),
]


@pytest.mark.parametrize(("field", "value", "allowed"), CASES)
def test_a_field_out_of_bounds_is_refused(field, value, allowed):
  with pytest.raises(ValueError) as error:
    Training(**{field: value})
  assert f"training.{field} = {value}; allowed: " in str(error.value)
  assert allowed in str(error.value)


def test_a_schedule_that_there_is_not_is_refused(unchecked):
  allowed = r"'linear'; allowed: \('constant', 'cosine', 'inverse_sqrt'\)"
  with pytest.raises(ValueError, match="training.schedule = " + allowed):
    Training(schedule="linear")
