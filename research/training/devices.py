"""Members over the devices of a machine, batches when members are fewer.

On accelerators the members of a device run under `vmap`; on CPU one after
the other under `lax.map`, which is faster there and skips frozen members.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec


@dataclasses.dataclass(frozen=True)
class Spread:
  """How members and batches are laid over devices.

  Attributes:
    mesh: with the axes "member" and "batch".
    together: whether the members of a device run under `vmap`.
  """

  mesh: Mesh
  together: bool

  @property
  def groups(self) -> int:
    """Devices along "member": members come in a multiple of these."""
    return self.mesh.shape["member"]

  @property
  def shards(self) -> int:
    """Devices that share a batch."""
    return self.mesh.shape["batch"]

  @property
  def sharding(self) -> NamedSharding:
    """Of arrays with the first axis `m`."""
    return NamedSharding(self.mesh, PartitionSpec("member"))

  def over(
    self, function: Callable[..., Any], together: bool | None = None
  ) -> Callable[..., Any]:
    """The function of one member as a function of stacked members."""
    together = self.together if together is None else together

    def local(*stacked: Any) -> Any:
      if together:
        return jax.vmap(function)(*stacked)
      return jax.lax.map(lambda one: function(*one), stacked)

    spec = PartitionSpec("member")
    return jax.shard_map(
      local, mesh=self.mesh, in_specs=spec, out_specs=spec, check_vma=False
    )


def spread(
  members: int, batch: int, devices: list[jax.Device] | None = None
) -> Spread:
  """Lays `members` over the devices, and shares batches with what is left.

  Raises:
    ValueError: the batch does not divide among the devices that share it.
  """
  devices = jax.devices() if devices is None else devices
  count = len(devices)
  groups = max(
    n for n in range(1, count + 1) if count % n == 0 and n <= max(members, 1)
  )
  shards = count // groups
  if batch % shards:
    raise ValueError(
      f"training.batch = {batch} does not divide among {shards} devices "
      f"({members} members on {count} devices); allowed: a multiple of "
      f"{shards}"
    )
  mesh = jax.make_mesh(
    (groups, shards),
    ("member", "batch"),
    axis_types=(AxisType.Auto,) * 2,
    devices=devices,
  )
  return Spread(mesh, together=devices[0].platform != "cpu")
