"""`--distributed`: this process is one of several that share a run."""

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

_WAIT = 60
"""Seconds that a process which has ended waits for the others to end."""


@contextmanager
def joined(asked: bool) -> Iterator[None]:
  """Joins the processes of a run, before jax is asked for a device.

  jax finds the others by itself where Slurm, Open MPI, Kubernetes or a TPU
  pod started them; else the environment tells, see `README.md`. An error that
  all of them see, as of wrong input, passes; at any other this process ends
  at once, as the others would wait for it: jax then ends them too.

  Raises:
    ValueError: the others are not known, or not to be reached.
  """
  if not asked:
    yield
    return
  count, index = _number("JAX_NUM_PROCESSES"), _number("JAX_PROCESS_ID")
  import jax

  from research.processes import largest

  try:
    jax.distributed.initialize(
      num_processes=count,
      process_id=index,
      shutdown_timeout_seconds=_WAIT,
    )
  except (ValueError, RuntimeError) as error:
    raise ValueError(
      f"--distributed: {error}; allowed: under a launcher that jax knows, or "
      "with JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID"
    ) from error
  try:
    largest(0)  # Gloo's first meeting has to come about within 30 seconds.
    yield
  except (ValueError, SystemExit):
    raise
  except BaseException:
    traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)


def _number(name: str) -> int | None:
  """A variable that jax does not read itself; None where it is not set."""
  text = os.environ.get(name)
  if text is not None and not text.isdecimal():
    raise ValueError(f"{name} = {text!r}; allowed: a number")
  return int(text) if text else None
