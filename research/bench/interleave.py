"""Runs contenders in turn, A B C A B C, and keeps every round's rate.

The speed of a shared machine drifts. Rounds that take turns drift together,
so ratios within a round can be trusted where absolute rates cannot.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence

_ALLOCATORS = {
  "MALLOC_ARENA_MAX": "1",
  "MALLOC_MMAP_THRESHOLD_": str(2**32),
  "MALLOC_TRIM_THRESHOLD_": str(2**33),
  "MALLOC_TOP_PAD_": str(2**28),
  "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
}
"""glibc keeps freed pages: the same for all contenders. On a GPU, which they
share, none takes memory before it needs it."""


def rates(
  contenders: Sequence[tuple[str, str]],
  *,
  rounds: int,
  seconds: float,
  told: Callable[[str], None],
) -> dict[tuple[str, str], list[float]]:
  """The rate of every contender in every round.

  Args:
    contenders: name and size, as `worker.contender` takes them.
    rounds: how often each has its turn.
    seconds: a turn.
    told: told what is going on.

  Raises:
    ValueError: a contender could not be started; with its last words.
  """
  workers = {}
  try:
    for one in contenders:
      told(f"starting {' '.join(one)}")
      workers[one] = _start(one)
      _answer(one, workers[one])
    found: dict[tuple[str, str], list[float]] = {one: [] for one in contenders}
    for number in range(rounds):
      told(f"round {number + 1} of {rounds}")
      for one, worker in workers.items():
        assert worker.stdin is not None
        worker.stdin.write(f"{seconds}\n")
        worker.stdin.flush()
        found[one].append(float(_answer(one, worker)))
    return found
  finally:
    for worker in workers.values():
      worker.kill()
      worker.wait()


def _start(one: tuple[str, str]) -> "subprocess.Popen[str]":
  return subprocess.Popen(
    [sys.executable, "-m", "research.bench.worker", *one],
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
    env={**os.environ, **_ALLOCATORS},
  )


def _answer(one: tuple[str, str], worker: "subprocess.Popen[str]") -> str:
  assert worker.stdout is not None and worker.stderr is not None
  line = worker.stdout.readline().strip()
  if not line:
    worker.wait()
    words = worker.stderr.read().strip().splitlines() or ["no message"]
    raise ValueError(f"bench: {' '.join(one)} ended: {words[-1]}")
  return line
