"""Devices: which of JAX's devices share the lanes of a program, and how arrays come to lie on them.

In a program of several processes, each of which has begun with `jax.distributed.initialize`, all devices of all
processes take part, and each process reads the rows of its own devices only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy
from numpy import ndarray

from scalargrad.checks import whole
from scalargrad.support.forks import kept
from scalargrad.support.words import plural

if TYPE_CHECKING:
    from jax import Array, Device
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

AXIS = "rows"  # of the mesh: the devices share the rows of a batch
INSTALL = 'pip install ".[jax]" in the folder of scalargrad'


def jax_or_error() -> ModuleType:
    """The package, or one line that says how to get it."""
    try:
        import jax
    except ImportError as problem:
        raise ModuleNotFoundError(f"JAX is not installed, and this takes it: {INSTALL}", name="jax") from problem
    return jax


def jax_devices(asked: int | str | None) -> "Devices":
    """Devices of JAX: so many, "all", or one for None. Several processes take all, which None means there."""
    jax = jax_or_error()
    there = jax.devices()
    if asked is None:
        asked = 1 if jax.process_count() == 1 else "all"
    if asked == "all":
        asked = len(there)
    asked = whole("devices", asked, 1, 'a whole number from 1 on, or "all";')
    if asked > len(there):
        hint = f"; XLA_FLAGS=--xla_force_host_platform_device_count={asked} makes {asked} of a processor"
        hint = hint if there[0].platform == "cpu" else ""
        raise ValueError(f"{asked} devices were asked for, and JAX has {Devices(jax, there)}{hint}")
    if jax.process_count() > 1 and asked != len(there):
        raise ValueError(
            f'{jax.process_count()} processes with {len(there)} devices share the work: devices="all" or '
            f"{len(there)}, not {asked}"
        )
    return Devices(jax, there[:asked])


@dataclass(frozen=True, repr=False)
class Devices:
    """Some devices of the package `jax`."""

    jax: ModuleType
    devices: list["Device"]

    def __repr__(self) -> str:
        return f"{plural(len(self), 'device')} ({self.platform})"

    def __len__(self) -> int:
        return len(self.devices)

    @property
    def platform(self) -> str:
        """Such as "cpu", "gpu"."""
        return self.devices[0].platform

    @property
    def here(self) -> "Devices":
        """One device of this process, for work that every process does by itself."""
        return self if self.jax.process_count() == 1 else Devices(self.jax, self.jax.local_devices()[:1])

    @kept
    def mesh(self) -> "Mesh":
        return self.jax.sharding.Mesh(numpy.array(self.devices), (AXIS,))

    def sharding(self, axis: int | None) -> "NamedSharding":
        """Shares along this axis of an array, or, for None, all of it on every device."""
        return self.jax.sharding.NamedSharding(self.mesh, _spec(self.jax, axis))

    def place(self, array: ndarray) -> "Array":
        """The whole array on every device."""
        return self._placed(array.shape, None, lambda index: array[index])

    def place_rows(self, array: ndarray, positions: ndarray) -> "Array":
        """Rows of an array, at positions [lanes] or [steps, lanes]: each lane on its device, and only there read."""
        axis, shape = positions.ndim - 1, (*positions.shape, array.shape[1])
        return self._placed(shape, axis, lambda index: array[positions[index[:-1]]][..., index[-1]])

    def _placed(self, shape: tuple[int, ...], axis: int | None, read: Callable[[tuple], ndarray]) -> "Array":
        with self.jax.enable_x64(True):  # or float64 would become float32
            return self.jax.make_array_from_callback(shape, self.sharding(axis), read)

    def shared(self, function: Callable, inputs: list, outputs: Any) -> Callable:
        """The function run by every device on its shares: `inputs` and `outputs` have the shared axis of each array."""
        if len(self) == 1:
            return function

        def spec(axes: Any) -> Any:
            return list(map(spec, axes)) if isinstance(axes, list) else _spec(self.jax, axes)

        specs, results = tuple(map(spec, inputs)), tuple(map(spec, outputs))
        return self.jax.shard_map(function, mesh=self.mesh, in_specs=specs, out_specs=results)

    def refuse_uneven(self, batch: int) -> None:
        """A ValueError for a batch that the devices cannot share evenly."""
        if batch % len(self):
            below, above = batch // len(self) * len(self), -(-batch // len(self)) * len(self)
            choice = f"{below} or {above}" if below else f"{above}"
            raise ValueError(f"a batch of {batch} rows does not divide by {len(self)} devices: {choice} does")


def _spec(jax: ModuleType, axis: int | None) -> "PartitionSpec":
    return jax.sharding.PartitionSpec(*[None] * axis, AXIS) if axis is not None else jax.sharding.PartitionSpec()
