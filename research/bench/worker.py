"""One contender in a process of its own, told by lines when to run."""

import sys
import time
from collections.abc import Callable
from typing import cast

from research.bench.size import SIZES
from research.models.sequence import Precision


def contender(name: str, of: str) -> Callable[[int], int]:
  """The warmed-up function of a contender: steps → steps taken.

  Args:
    name: of the contender.
    of: the vocabulary that it trains with, the length of its rows, their
      number, that of layers, a size or a precision.
  """
  if name.startswith("attention-"):
    from research.bench import attention

    return attention.prepare(name.removeprefix("attention-"), int(of))
  if name.startswith("recurrence-"):
    from research.bench import recurrence

    return recurrence.prepare(name.removeprefix("recurrence-"), int(of))
  if name.startswith("decoding-"):
    from research.bench import decoding

    return decoding.prepare(name.removeprefix("decoding-"), int(of))
  if name.startswith("transformer-"):
    from research.bench import transformer

    return transformer.prepare(name.removeprefix("transformer-"), of)
  if name == "product":
    from research.bench.device import prepare_product

    return prepare_product(cast(Precision, of))
  size = SIZES[of]
  if name.startswith("torch"):
    from research.bench import torch_peer

    _, savings, how = name.split("-")
    return torch_peer.prepare(
      size, cast(torch_peer.Savings, savings), how == "compiled"
    )
  from research.bench import lab

  return lab.prepare(size, members=int(name.removeprefix("lab-")))


def main() -> None:
  """Answers every line `seconds` with the steps a second reached in these."""
  run = contender(*sys.argv[1:3])
  print("ready", flush=True)
  number = 1
  for line in sys.stdin:
    wanted, begin, steps = float(line), time.perf_counter(), 0
    while True:
      steps += run(number)
      spent = time.perf_counter() - begin
      if spent >= wanted:
        break
      number = max(int(steps / spent * wanted / 4), 1)
    print(steps / spent, flush=True)


if __name__ == "__main__":
  main()
