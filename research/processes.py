"""Several processes that share a run: one program, and one writer.

`jax.distributed` has made them one; each has devices of its own. All take the
same decisions, as they see the same numbers: what lies spread over devices is
gathered, and process 0 tells what it alone can know, such as a file or the
time. With one process every function here is the plain thing.
"""

import functools
import pickle
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec, Sharding

Result = TypeVar("Result")

_PIECE = 2**24
"""Bytes sent at once: every device has room for those of all devices."""


def is_first() -> bool:
  """Whether this process is the one that writes and talks."""
  return jax.process_index() == 0


def gathered(tree: Any) -> Any:
  """Arrays spread over all devices, whole on every host; the same tree alone.

  Every process has to call it.
  """
  if jax.process_count() == 1:
    return tree
  return jax.tree.map(_whole, tree)


def placed(tree: Any, sharding: Any) -> Any:
  """Arrays that every host has, spread over devices.

  Args:
    tree: the same in every process.
    sharding: one for all arrays, or a tree of them.
  """
  if jax.process_count() == 1:
    return jax.device_put(tree, sharding)
  if isinstance(sharding, Sharding):
    sharding = jax.tree.map(lambda leaf: sharding, tree)
  return jax.tree.map(
    lambda leaf, where: jax.make_array_from_callback(
      leaf.shape, where, lambda index: leaf[index]
    ),
    tree,
    sharding,
  )


def largest(number: int) -> int:
  """The largest of the numbers of all processes, each of which calls it."""
  if jax.process_count() == 1:
    return number
  return int(_rows(np.array([number], np.int32)).max())


def by_first(work: Callable[[], Result]) -> Result:
  """What process 0 found, in every process; the others wait for it.

  Every process has to call it, and never within such work.

  Args:
    work: done by process 0 alone; returns what can be pickled.

  Raises:
    ValueError: in the other processes, when process 0 raised anything.
  """
  if jax.process_count() == 1:
    return work()
  if not is_first():
    error, result = pickle.loads(_broadcast(b""))
    if error:
      raise ValueError(f"process 0: {error}")
    return result
  try:
    result = work()
    message = pickle.dumps(("", result))
  except BaseException as error:
    _broadcast(pickle.dumps((str(error) or type(error).__name__, None)))
    raise
  _broadcast(message)
  return result


def check_same(own: str, what: str) -> None:
  """Refuses what is not the same in all processes, each of which calls it.

  Raises:
    ValueError: in all of them, with `what` it is.
  """
  if largest(int(by_first(lambda: own) != own)):
    raise ValueError(
      f"{what} is not the same in all processes; allowed: the same command, "
      "files and code everywhere"
    )


def _broadcast(message: bytes) -> bytes:
  """The bytes of process 0; the others have none."""
  count = largest(-(-len(message) // _PIECE))
  return b"".join(
    _send(message[_PIECE * i : _PIECE * (i + 1)]) for i in range(count)
  )


def _send(piece: bytes) -> bytes:
  size = largest(len(piece))
  room = np.zeros(1 << size.bit_length(), np.uint8)  # few sizes to compile
  room[: len(piece)] = np.frombuffer(piece, np.uint8)
  return _rows(room).max(axis=0).tobytes()[:size]


def _rows(row: np.ndarray) -> np.ndarray:
  """The rows of all processes, as often as these have devices."""
  devices = np.asarray(jax.devices())
  where = NamedSharding(Mesh(devices, "device"), PartitionSpec("device"))
  shape = (devices.size, *row.shape)
  return _whole(
    jax.make_array_from_callback(shape, where, lambda index: row[None])
  )


def _whole(array: jax.Array) -> np.ndarray:
  """Waits for all devices of this process: collectives must not overtake."""
  replicate = _replicate(array.sharding)
  whole = jax.block_until_ready(replicate(array))
  return np.array(whole.addressable_data(0))


@functools.cache
def _replicate(sharding: Any) -> Callable[[jax.Array], jax.Array]:
  where = NamedSharding(sharding.mesh, PartitionSpec())
  return jax.jit(lambda array: array, out_shardings=where)
