"""What a record checks of its fields."""

import types
from typing import Any, Literal

import pytest

from research.models.feed_forward import FeedForward
from research.record import check_choice, check_number


def test_numbers_out_of_range_are_refused():
  part = FeedForward(expansion=3)
  check_number(part, "expansion", 3, 3)
  check_number(part, "expansion", 3)
  message = "expansion = 3; allowed: "
  with pytest.raises(ValueError, match=f"^{message}4 or more$"):
    check_number(part, "expansion", 4)
  with pytest.raises(ValueError, match=f"^{message}1 to 2 for t$"):
    check_number(part, "expansion", 1, 2, "for t")
  for other in (1.5, 3.0, True, "3"):
    odd: Any = types.SimpleNamespace(expansion=other)
    message = f"^expansion = {other!r}; allowed: an integer, 1 or more$"
    with pytest.raises(ValueError, match=message):
      check_number(odd, "expansion", 1)


def test_what_is_no_choice_is_refused():
  part = types.SimpleNamespace(form="x")
  check_choice(part, "form", Literal["x", "y"])
  with pytest.raises(ValueError, match="^form = 'x'; allowed: 'a', 'b'$"):
    check_choice(part, "form", Literal["a", "b"])
