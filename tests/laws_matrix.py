"""The matrix of laws: which ran for which variant, printed after the tests.

`conftest.py` imports the hook. It reads the reports of every `test_laws.py`,
whose last parameter is the name of the case.
"""

import re
import string
import textwrap
from collections import Counter
from typing import Any

OUTCOMES = {"passed": "", "failed": "F", "error": "F", "xfailed": "x"}
NODE = re.compile(r"(?:.*/)?tests/(?:(\w+)/)?test_laws\.py::test_(\w+)\[(.+)\]")


def matrices(reports: list[tuple[str, str]]) -> dict[str, dict]:
  """Counts the reports by room, case and law.

  Args:
    reports: pairs of node id and outcome.

  Returns:
    By room, by case, by law: how often it passed, or "F" if it ever failed,
    or "x" where the table excepts the case.
  """
  passed: Counter = Counter()
  rooms: dict[str, dict] = {}
  for node, outcome in reports:
    match = NODE.fullmatch(node)
    if not match or outcome not in OUTCOMES:
      continue
    room, law = match[1] or "mixers", match[2]
    case = match[3].rpartition("-")[2]
    laws = rooms.setdefault(room, {}).setdefault(case, {})
    passed[room, case, law] += outcome == "passed"
    if laws.get(law) != "F":
      laws[law] = OUTCOMES[outcome] or str(passed[room, case, law])
  return rooms


def lines(cases: dict[str, dict[str, str]]) -> list[str]:
  """The matrix of one room: a row a case, a lettered column a law."""
  laws = list(dict.fromkeys(law for row in cases.values() for law in row))
  width = max(map(len, cases))
  letters = string.ascii_letters[: len(laws)]
  named = zip(letters, laws, strict=True)
  # A no-break space keeps a letter with its law.
  legend = ", ".join(f"{letter}\xa0{law}" for letter, law in named)
  columns = "".join(f"{letter:>2}" for letter in letters)
  text = [*textwrap.wrap(legend, 78), f"{'':{width}}{columns}  laws"]
  for case, row in sorted(cases.items()):
    cells = "".join(f"{row.get(law, '·'):>2}" for law in laws)
    ran = sum(cell not in ("x", "F") for cell in row.values())
    text.append(f"{case:{width}}{cells}{ran:>6}")
  return [line.replace("\xa0", " ") for line in text]


def pytest_terminal_summary(terminalreporter: Any) -> None:
  """Prints one matrix a room, if laws ran."""
  reports = [
    (report.nodeid, outcome)
    for outcome in OUTCOMES
    for report in terminalreporter.stats.get(outcome, [])
  ]
  for room, cases in matrices(reports).items():
    terminalreporter.section(f"laws of {room}: tests passed", sep="-")
    for line in lines(cases):
      terminalreporter.write_line(line)
    terminalreporter.write_line("· does not apply   x excepted   F failed")
