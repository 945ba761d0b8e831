"""Processes that train one model together, each with devices of its own: they walk in step, or stop with an error.

Each runs the same script, and has called `jax.distributed.initialize`.
"""

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy
from numpy import ndarray


class Alone:
    """One process, which agrees with itself about everything."""

    is_first = True

    @contextmanager
    def in_step(self) -> Iterator[None]:
        yield

    def agreed(self, measures: dict[str, float]) -> dict[str, float]:
        return measures

    def refuse_others(self, describe: Callable[[], dict[str, Any]]) -> None: ...


class Processes:
    """Several of them, each with the package `jax`."""

    def __init__(self, jax: Any) -> None:
        self.jax = jax

    @property
    def is_first(self) -> bool:
        """Is this the process that writes files and shows progress?"""
        return self.jax.process_index() == 0

    @contextmanager
    def in_step(self) -> Iterator[None]:
        """A block that fails in every process, if it fails in one: else the others would wait for that one for ever."""
        try:
            yield
        except BaseException:
            self._gathered([1])
            raise
        failed = self._gathered([0])[:, 0].nonzero()[0]
        if len(failed):
            raise RuntimeError(f"process {failed[0]} stopped with an error, which it shows")

    def agreed(self, measures: dict[str, float]) -> dict[str, float]:
        """Measures of the first process: others may have rounded otherwise, and would decide otherwise."""
        first = self._gathered(list(measures.values()), "float64")[0]
        return dict(zip(measures, first.tolist(), strict=True))

    def refuse_others(self, describe: Callable[[], dict[str, Any]]) -> None:
        """A ValueError in every process, if what `describe` says is not the same in all of them."""
        what = describe()
        contents = [x.tobytes() if hasattr(x, "tobytes") else str(x).encode() for x in what.values()]
        everywhere = self._gathered(list(map(zlib.crc32, contents)))
        for name, sums in zip(what, everywhere.T, strict=True):
            different = (sums != sums[0]).nonzero()[0]
            if len(different):
                raise ValueError(
                    f"process {different[0]} has another {name} than process 0: all processes make the same model, "
                    "pass the same samples and settings, and decide alike in callbacks"
                )

    def _gathered(self, numbers: list, dtype: str = "uint32") -> ndarray:
        """The numbers of every process, [processes, numbers]. It waits for all of them."""
        from jax.experimental import multihost_utils

        with self.jax.enable_x64(True):
            return numpy.asarray(multihost_utils.process_allgather(numpy.array(numbers, dtype)))


def processes_of(devices: Any) -> Alone | Processes:
    """Processes that train together, by the devices that a backend has; None for none."""
    return Processes(devices.jax) if devices and devices.jax.process_count() > 1 else Alone()
