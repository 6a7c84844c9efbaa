"""The record of one mixer under test, and the tables of all families.

A family's table is `CASES: dict[str, Case]` in `tests/<family>/cases.py`. A
new variant is one line there; the laws of `tests/test_laws.py` do the rest.
"""

import dataclasses
import importlib
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from research.mixer import Mixer

FAMILIES = ("attention", "connected", "convolution", "linear", "recurrence")
"""The folders whose files are mixers."""


@dataclasses.dataclass(frozen=True)
class Case:
  """One mixer and what its page says about it.

  Attributes:
    mixer: the module, unbound.
    parameters: the documented number of parameters at a width.
    width: d in the tests.
    reach: how many of the latest inputs a causal output depends on, at the
      length 8 of the tests; None leaves it to be measured.
    shortest: the shortest sequence that it does not refuse.
    source: whether it reads from another sequence; if not, it refuses one.
    edges: whether it reads the edges of a graph; if not, it refuses them.
    exceptions: laws that do not hold, by name of the law, with the reason.
  """

  mixer: Mixer
  parameters: Callable[[int], int]
  width: int = 8
  reach: int | None = None
  shortest: int = 1
  source: bool = False
  edges: bool = False
  exceptions: Mapping[str, str] = dataclasses.field(default_factory=dict)


def mixer_cases() -> dict[str, Case]:
  """The cases of all families, as "family/name"."""
  cases = {}
  for family in FAMILIES:
    table = importlib.import_module(f"tests.{family}.cases")
    for name, case in table.CASES.items():
      cases[f"{family}/{name}"] = case
  return cases


class Laws:
  """The laws of one room: runs each test for the cases that it speaks of.

  A case that its table excepts from a law has to break it.
  """

  def __init__(self, cases: Mapping[str, Any]):
    """Takes the table of the room."""
    self.cases = cases
    self.names: list[str] = []

  def __call__(self, only: Callable[[Any], bool] = lambda case: True) -> Any:
    """Marks the test of a law, `only` for some of the cases."""

    def collect(test: Any) -> Any:
      title = test.__name__.removeprefix("test_")
      self.names.append(title)
      chosen = []
      for name, case in self.cases.items():
        reason = case.exceptions.get(title)
        broken = pytest.mark.xfail(reason=reason, strict=True)
        if only(case):
          chosen.append(pytest.param(name, marks=[broken] if reason else []))
      # With this scope pytest runs all laws of one case, then the next case.
      return pytest.mark.parametrize("name", chosen, scope="module")(test)

    return collect

  def check_exceptions(self) -> None:
    """Fails if an exception names no law, or gives no reason."""
    for name, case in self.cases.items():
      assert set(case.exceptions) <= set(self.names), name
      assert all(case.exceptions.values()), name
