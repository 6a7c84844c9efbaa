"""Compiled programs, which are dropped now and then.

Every program holds some memory maps. Linux gives a process 65,530 of them, and
without one the compiler crashes.
"""

import jax

MOST = 1000
"""As many are kept; about 50,000 maps go with 5,000."""

_kept: list[str] = []


def forget() -> None:
  """Drops all programs if there are too many; what is called next compiles."""
  if len(_kept) > MOST:
    jax.clear_caches()
    _kept.clear()


def _note(event: str, duration: float, **details: object) -> None:
  if event == "/jax/core/compile/backend_compile_duration":
    _kept.append(event)


jax.monitoring.register_event_duration_secs_listener(_note)
