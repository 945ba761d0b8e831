"""Devices: which of JAX's devices share the lanes of a program, and how arrays come to lie on them.

In a program of several processes, each of which has begun with `jax.distributed.initialize`, all devices of all
processes take part, and each process reads the rows of its own devices only.
"""

import zlib
from collections.abc import Callable
from functools import cached_property
from numbers import Integral
from typing import Any

AXIS = "rows"  # of the mesh: the devices share the rows of a batch
INSTALL = 'pip install ".[jax]" in the folder of scalargrad'


def jax_or_error() -> Any:
    """The package, or one line that says how to get it."""
    try:
        import jax
    except ImportError as problem:
        raise ModuleNotFoundError(f"JAX is not installed, and this takes it: {INSTALL}", name="jax") from problem
    return jax


class Devices:
    """`asked`: how many, "all", or None for one; in several processes None is all, and all it has to be."""

    def __init__(self, asked: int | str | None) -> None:
        self.jax = jax = jax_or_error()
        there = jax.devices()
        if asked is None:
            asked = 1 if jax.process_count() == 1 else "all"
        if asked == "all":
            asked = len(there)
        if isinstance(asked, bool) or not isinstance(asked, Integral) or asked < 1:
            raise ValueError(f'devices is a whole number from 1 on, or "all"; got {asked!r}')
        if asked > len(there):
            hint = "; XLA_FLAGS=--xla_force_host_platform_device_count=8 makes 8 devices of a processor"
            hint = hint if there[0].platform == "cpu" else ""
            raise ValueError(f"{asked} devices were asked for, and JAX has {_count(there)}{hint}")
        if jax.process_count() > 1 and asked != len(there):
            raise ValueError(
                f'{jax.process_count()} processes with {len(there)} devices share the work: devices="all" or '
                f"{len(there)}, not {asked}"
            )
        self.devices: list[Any] = there[:asked]

    def __repr__(self) -> str:
        return _count(self.devices)

    def __len__(self) -> int:
        return len(self.devices)

    @property
    def platform(self) -> str:
        """Such as "cpu", "gpu"."""
        return self.devices[0].platform

    @property
    def is_shared(self) -> bool:
        """Do other processes take part?"""
        return self.jax.process_count() > 1

    @property
    def here(self) -> "Devices":
        """One device of this process, for work that every process does by itself."""
        alone = Devices.__new__(Devices)
        alone.jax, alone.devices = self.jax, self.jax.local_devices()[:1]
        return alone if self.is_shared else self

    @cached_property
    def mesh(self) -> Any:
        import numpy

        return self.jax.sharding.Mesh(numpy.array(self.devices), (AXIS,))

    def sharding(self, axis: int | None) -> Any:
        """Shares along this axis of an array, or, for None, all of it on every device."""
        return self.jax.sharding.NamedSharding(self.mesh, _spec(self.jax, axis))

    def place(self, array: Any) -> Any:
        """All of an array on every device."""
        return self._placed(array.shape, None, lambda index: array[index])

    def place_rows(self, array: Any, positions: Any) -> Any:
        """Rows of an array, at positions [lanes] or [steps, lanes]: each lane on its device, and only there read."""
        axis, shape = positions.ndim - 1, (*positions.shape, array.shape[1])
        return self._placed(shape, axis, lambda index: array[positions[index[:-1]]][..., index[-1]])

    def _placed(self, shape: tuple[int, ...], axis: int | None, read: Callable[[tuple], Any]) -> Any:
        with self.jax.enable_x64(True):  # or float64 would become float32
            return self.jax.make_array_from_callback(shape, self.sharding(axis), read)

    def agreed(self, measures: dict[str, float]) -> dict[str, float]:
        """Those of the first process: others may have rounded otherwise, and would decide otherwise."""
        if not self.is_shared:
            return measures
        import numpy
        from jax.experimental import multihost_utils

        with self.jax.enable_x64(True):
            numbers = multihost_utils.broadcast_one_to_all(numpy.array(list(measures.values()), "float64"))
        return dict(zip(measures, numbers.tolist(), strict=True))

    def refuse_others(self, describe: Callable[[], dict[str, Any]]) -> None:
        """A ValueError in every process, if what `describe` says is not the same in all of them."""
        if not self.is_shared:
            return
        import numpy
        from jax.experimental import multihost_utils

        what = describe()
        sums = numpy.array([zlib.crc32(str(x).encode()) for x in what.values()], "uint32")
        everywhere = multihost_utils.process_allgather(sums)
        for place, name in enumerate(what):
            different = numpy.flatnonzero(everywhere[:, place] != everywhere[0, place])
            if len(different):
                raise ValueError(
                    f"process {different[0]} has another {name} than process 0: all processes make the same model, "
                    "with the same seed, and pass the same samples and settings"
                )

    @property
    def is_first(self) -> bool:
        """Is this the process that writes files?"""
        return self.jax.process_index() == 0

    def meet(self, why: str) -> None:
        """Wait here for all processes."""
        if self.is_shared:
            from jax.experimental import multihost_utils

            multihost_utils.sync_global_devices(why)

    def shared(self, function: Callable, inputs: list, outputs: Any) -> Callable:
        """The function run by every device on its shares: `inputs` and `outputs` have the shared axis of each array."""
        if len(self) == 1:
            return function

        def spec(axes: Any) -> Any:
            return list(map(spec, axes)) if isinstance(axes, list) else _spec(self.jax, axes)

        specs, results = tuple(map(spec, inputs)), tuple(map(spec, outputs))
        return self.jax.shard_map(function, mesh=self.mesh, in_specs=specs, out_specs=results)


def refuse_uneven(batch: int, devices: int) -> None:
    """A ValueError for a batch that the devices cannot share evenly."""
    if batch % devices:
        below, above = batch // devices * devices, -(-batch // devices) * devices
        choice = f"{below} or {above}" if below else f"{above}"
        raise ValueError(f"a batch of {batch} rows does not divide by {devices} devices: {choice} does")


def _count(devices: list) -> str:
    return f"{len(devices)} device{'s' * (len(devices) > 1)} ({devices[0].platform})"


def _spec(jax: Any, axis: int | None) -> Any:
    return jax.sharding.PartitionSpec(*[None] * axis, AXIS) if axis is not None else jax.sharding.PartitionSpec()
