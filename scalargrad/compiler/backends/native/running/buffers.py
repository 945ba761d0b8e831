"""Buffers: arrays aligned to lines of the cache, and the working memory that the jobs of a program share."""

import ctypes
from collections.abc import Callable

import numpy as np
from numpy import ndarray

from scalargrad.compiler.backends.native.kernels.kernel_code import CACHE_LINE

addressof, byte_of = ctypes.addressof, ctypes.c_char.from_buffer


def allocated(count: int, dtype: str, aligned: int = 0) -> ndarray:
    """An array of zeros whose item number `aligned` lies at the beginning of a line of the cache."""
    item = np.dtype(dtype).itemsize
    raw = np.zeros(item * count + CACHE_LINE, "uint8")
    begin = -(raw.ctypes.data + item * aligned) % CACHE_LINE
    return raw[begin : begin + item * count].view(dtype)


def integers(count: int) -> ctypes.Array[ctypes.c_int64]:
    """Zeros whose first one lies at the beginning of a line of the cache, which Python reads and writes quickly."""
    return (ctypes.c_int64 * count).from_buffer(allocated(count, "int64"))  # type: ignore[arg-type]


def address(array: ndarray) -> int:
    """The address of the first number of an array that lies in one piece."""
    try:
        # A third of the time of `ctypes.data`. NumPy's arrays are buffers, which mypy does not know.
        return addressof(byte_of(array))  # type: ignore[arg-type]
    except (TypeError, ValueError):  # nobody may write into it, or it is empty
        return array.ctypes.data


class Buffers:
    """The working memory of a program, which its jobs share as they run one after another.

    moved   called when a buffer has grown, and so lies elsewhere: jobs that know its address are void
    """

    def __init__(self, moved: Callable[[], None]) -> None:
        self.moved = moved
        self.arrays: dict[str, ndarray] = {}

    def of(self, name: str, count: int, dtype: str) -> ndarray:
        """The buffer of that name, with room for so many numbers."""
        if len(self.arrays.get(name, ())) < max(1, count):
            self.arrays[name] = allocated(max(1, count), dtype)
            self.moved()
        return self.arrays[name]
