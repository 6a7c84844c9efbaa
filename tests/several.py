"""Two processes on this machine that share the tiny experiment.

As a program it is one of them: `python -m tests.several run ARGUMENT …` is the
command `mixerlab`, and `python -m tests.several FOLDER EVENT` runs the tiny
experiment as `tests.tiny` does, where process 0 kills itself at the chunk of
number EVENT.
"""

import dataclasses
import os
import socket
import subprocess
import sys

from tests import tiny

EXPERIMENT = dataclasses.replace(tiny.EXPERIMENT.only(("second",)), tests=())
"""With few programs to compile."""
CHUNKS = 3
COUNT = 2
DEVICES = 2
"""Of each of the processes."""


def start(*arguments: str) -> list[subprocess.CompletedProcess]:
  """Runs a program in several processes, until all have ended."""
  with socket.socket() as free:
    free.bind(("localhost", 0))
    address = f"localhost:{free.getsockname()[1]}"
  processes = [_begin(address, index, arguments) for index in range(COUNT)]
  try:
    return [_end(process) for process in processes]
  finally:
    for process in processes:
      process.kill()
      process.communicate()


def _begin(
  address: str, index: int, arguments: tuple[str, ...]
) -> subprocess.Popen[str]:
  return subprocess.Popen(
    [sys.executable, "-m", "tests.several", *arguments],
    cwd=tiny.ROOT,
    env={
      **os.environ,
      "PYTHONPATH": str(tiny.ROOT),
      "JAX_COORDINATOR_ADDRESS": address,
      "JAX_NUM_PROCESSES": str(COUNT),
      "JAX_PROCESS_ID": str(index),
    },
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )


def _end(process: subprocess.Popen[str]) -> subprocess.CompletedProcess:
  out, error = process.communicate(timeout=100)
  return subprocess.CompletedProcess(
    process.args, process.returncode, out, error
  )


def main(arguments: list[str]) -> int:
  """One of the processes."""
  if arguments[0] == "run":
    from research.command.main import main as command

    return command(arguments)
  from research.command.distributed import joined

  folder, event = arguments
  with joined(asked=True):
    return tiny.main(folder, event, experiment=EXPERIMENT)


if __name__ == "__main__":
  import jax

  import tests.conftest  # noqa: F401  (the settings, before jax is used)

  jax.config.update("jax_num_cpu_devices", DEVICES)
  sys.exit(main(sys.argv[1:]))
