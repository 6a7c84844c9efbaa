"""Ctrl-C and SIGTERM: the first asks a run to stop, a second one ends it."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from research.processes import largest


@contextmanager
def signals() -> Iterator[list[int]]:
  """The signals received so far by this process."""
  received: list[int] = []
  if threading.current_thread() is not threading.main_thread():
    yield received
    return

  def ask(number: int, frame: Any) -> None:
    if received:
      raise KeyboardInterrupt
    received.append(number)

  kinds = (signal.SIGINT, signal.SIGTERM)
  old = [signal.signal(kind, ask) for kind in kinds]
  try:
    yield received
  finally:
    for kind, handler in zip(kinds, old, strict=True):
      signal.signal(kind, handler)


def agreed(received: list[int]) -> int:
  """A signal that any process received, or 0; every process has to ask."""
  return largest(received[0] if received else 0)
